package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hadronhq/hadron/internal/proton"
)

// Sealer keeps text unreadable for who has the database and not the master key.
// What is sealed opens only under the name that it was sealed as.
type Sealer struct {
	Seal  func(text, name string) string
	Open  func(sealed, name string) (string, error)
	Stale func(sealed string) bool // by another key than the one that seals now
	Key   func() string            // names that one; what it has sealed begins with it and a full stop
}

// SealWith gives the store what it seals secrets with: sensitive outputs, and
// those of Secret. Until then it neither writes nor reads one.
func (s *Store) SealWith(with Sealer) { s.sealer = with }

// sealedMark begins a value that is sealed.
const sealedMark = "sealed:"

var errNoSealer = errors.New("the store was given nothing to seal secrets with")

// sealed is a deployment as its row has it: sensitive outputs are sealed, as are
// reported ones, of which nobody has said yet whether they are.
func (s *Store) sealed(d proton.Deployment) (proton.Deployment, error) {
	if !slices.ContainsFunc(outputLists(&d), anySecret) {
		return d, nil
	}
	d.Inputs = d.Inputs.Clone()
	for _, list := range outputLists(&d) {
		*list.outputs = slices.Clone(*list.outputs)
		for n := range *list.outputs {
			o := &(*list.outputs)[n]
			if !o.Sensitive && !list.all {
				continue
			}
			if s.sealer.Seal == nil {
				return d, errNoSealer
			}
			o.Value = sealedMark + s.sealer.Seal(o.Value, sealName(d, o.Key))
		}
	}
	return d, nil
}

// open makes a deployment that was read from its row whole again.
func (s *Store) open(d *proton.Deployment) error {
	for _, list := range outputLists(d) {
		for n := range *list.outputs {
			o := &(*list.outputs)[n]
			text, sealed := strings.CutPrefix(o.Value, sealedMark)
			if !sealed || !o.Sensitive && !list.all {
				continue
			}
			if s.sealer.Open == nil {
				return errNoSealer
			}
			value, err := s.sealer.Open(text, sealName(*d, o.Key))
			if err != nil {
				return fmt.Errorf("output %s of deployment %s: %w", o.Key, d.ID, err)
			}
			o.Value = value
		}
	}
	return nil
}

func sealName(d proton.Deployment, key string) string { return "deployment " + d.ID + " output " + key }

// outputList is one of a deployment's lists of outputs; all of its values are
// secret, or the sensitive ones alone.
type outputList struct {
	outputs *[]proton.Output
	all     bool
}

func anySecret(l outputList) bool {
	return l.all && len(*l.outputs) > 0 || slices.ContainsFunc(*l.outputs, func(o proton.Output) bool { return o.Sensitive })
}

// outputLists are all lists of outputs that a deployment holds: its own, and
// those of what it is built on.
func outputLists(d *proton.Deployment) []outputList {
	lists := []outputList{{outputs: &d.Outputs}, {outputs: &d.Report.Outputs, all: true}}
	in := d.Inputs
	if in == nil {
		return lists
	}
	if in.Environment != nil {
		lists = append(lists, outputList{outputs: &in.Environment.Outputs})
	}
	if in.Component != nil {
		lists = append(lists, outputList{outputs: &in.Component.Outputs})
	}
	for n := range in.Instances {
		lists = append(lists, outputList{outputs: &in.Instances[n].Outputs}, outputList{outputs: &in.Instances[n].Environment.Outputs})
	}
	return lists
}
