package store

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// maxPrepared bounds the statements that one connection keeps: lists with
// filters have many texts.
const maxPrepared = 300

// preparing opens connections that prepare each statement text once and keep
// it, for everyone who uses the pool: the driver, and River on top of it,
// would otherwise parse and plan the same statements at every call.
type preparing struct{ driver.Connector }

func (c preparing) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	base, ok := conn.(baseConn)
	if !ok {
		return nil, fmt.Errorf("a connection of the database driver is a %T, which lacks a method that is needed", conn)
	}
	return &preparedConn{baseConn: base, idle: map[string]driver.Stmt{}}, nil
}

// baseConn is what the SQLite driver's connections can do, without running
// statements unprepared.
type baseConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// preparedConn is a connection with its idle statements by text. A statement
// in use is not among them, so that the same text can run again meanwhile.
// Package sql serializes all calls on a connection and on what came of it.
type preparedConn struct {
	baseConn
	idle map[string]driver.Stmt
}

func (c *preparedConn) take(ctx context.Context, query string) (driver.Stmt, error) {
	if stmt, ok := c.idle[query]; ok {
		delete(c.idle, query)
		return stmt, nil
	}
	return c.PrepareContext(ctx, query)
}

func (c *preparedConn) giveBack(query string, stmt driver.Stmt) error {
	if _, taken := c.idle[query]; taken {
		return stmt.Close()
	}
	c.idle[query] = stmt
	if len(c.idle) <= maxPrepared {
		return nil
	}
	for other, stmt := range c.idle { // the first met is as good as any
		delete(c.idle, other)
		return stmt.Close()
	}
	return nil
}

func (c *preparedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	stmt, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := stmt.(driver.StmtExecContext).ExecContext(ctx, args)
	if err != nil {
		_ = stmt.Close() // the failure is what matters
		return nil, err
	}
	return result, c.giveBack(query, stmt)
}

func (c *preparedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	stmt, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err != nil {
		_ = stmt.Close()
		return nil, err
	}
	return &preparedRows{Rows: rows, conn: c, query: query, stmt: stmt}, nil
}

func (c *preparedConn) Close() error {
	for query, stmt := range c.idle {
		delete(c.idle, query)
		_ = stmt.Close() // the connection's end ends it in any case
	}
	return c.baseConn.Close()
}

// preparedRows gives its statement back when it is closed.
type preparedRows struct {
	driver.Rows
	conn  *preparedConn
	query string
	stmt  driver.Stmt
}

func (r *preparedRows) Close() error {
	if err := r.Rows.Close(); err != nil {
		_ = r.stmt.Close()
		return err
	}
	return r.conn.giveBack(r.query, r.stmt)
}
