package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// Transient reports whether err is likely to go away by itself, so that the
// step is worth repeating: ended contexts, time-outs, connections that were
// refused or broken, a machine short of resources, and whatever in its chain
// says so by a method Transient() bool (the outermost one decides). All else
// is for good.
func Transient(err error) bool {
	if err == nil {
		return false
	}
	var says interface {
		error
		Transient() bool
	}
	if errors.As(err, &says) {
		return says.Transient()
	}
	for _, known := range []error{
		context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded, net.ErrClosed,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE,
		syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ETIMEDOUT,
		syscall.EAGAIN, syscall.EINTR, syscall.EBUSY, syscall.ETXTBSY,
		syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOSPC, syscall.EDQUOT,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		return true
	}
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsTemporary
}

// NoRoom reports whether err says that a disk is full.
func NoRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// MarkTransient returns err marked as worth repeating.
func MarkTransient(err error) error { return classed{err, true} }

// MarkPermanent returns err marked as final.
func MarkPermanent(err error) error { return classed{err, false} }

type classed struct {
	error
	transient bool
}

func (c classed) Unwrap() error   { return c.error }
func (c classed) Transient() bool { return c.transient }

// TimeoutError is the cause of a context that WithTimeout ended.
type TimeoutError struct{ After time.Duration }

func (e TimeoutError) Error() string { return fmt.Sprintf("timed out after %s", e.After) }

// Transient is false: a tool that ran out of its time has failed.
func (TimeoutError) Transient() bool { return false }

// WithTimeout returns a context that ends after d with a TimeoutError as its
// cause, so that running out of time is told from being stopped.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, TimeoutError{d})
}
