package awsjson_test

import (
	"context"
	"errors"

	"github.com/hadronhq/hadron/internal/awsjson"
)

// The service of these tests: one operation that echoes its input, with a member for each
// kind of shape there is.

type Color string

type Node struct {
	Value    *string `json:"value,omitzero"`
	Children []Node  `json:"children,omitzero"`
}

type Source struct {
	File *string `json:"file,omitzero"`
	Link *string `json:"link,omitzero"`
}

type MakeInput struct {
	Name   *string            `json:"name,omitzero"`
	Color  *Color             `json:"color,omitzero"`
	Count  *int64             `json:"count,omitzero"`
	Flag   *bool              `json:"flag,omitzero"`
	Keys   []string           `json:"keys,omitzero"`
	Node   *Node              `json:"node,omitzero"`
	Nodes  []Node             `json:"nodes,omitzero"`
	Secret *string            `json:"secret,omitzero"`
	Source *Source            `json:"source,omitzero"`
	Text   *string            `json:"text,omitzero"`
	When   *awsjson.Timestamp `json:"when,omitzero"`
	Colors []Color            `json:"colors,omitzero"`
	Path   *string            `json:"path,omitzero"`
}

type MakeOutput struct {
	Made *MakeInput `json:"made,omitzero"`
}

const (
	name = iota
	color
	count
	flag
	keys
	node
	nodes
	secret
	source
	text
	when
	colors
	path
	makeInput
	makeOutput
)

var shapes = awsjson.Link([]awsjson.Shape{
	name:   {Name: "Name", Kind: awsjson.String, Limits: &awsjson.Limits{Min: 1, Max: 10}, Pattern: "^[a-zß]+$"},
	color:  {Name: "Color", Kind: awsjson.String, Enum: []string{"RED", "GREEN"}},
	count:  {Name: "Count", Kind: awsjson.Integer, Limits: &awsjson.Limits{Min: 1, Max: 100}},
	flag:   {Name: "Flag", Kind: awsjson.Boolean},
	keys:   {Name: "Keys", Kind: awsjson.List, Limits: &awsjson.Limits{Min: 1, Max: 3}, ElementID: name},
	nodes:  {Name: "Nodes", Kind: awsjson.List, ElementID: node, Limits: &awsjson.Limits{Max: 500}},
	secret: {Name: "Secret", Kind: awsjson.String, Limits: &awsjson.Limits{Min: 1, Max: 5}, Sensitive: true},
	text:   {Name: "Text", Kind: awsjson.String},
	when:   {Name: "When", Kind: awsjson.Time},
	colors: {Name: "Colors", Kind: awsjson.List, ElementID: color},
	path:   {Name: "Path", Kind: awsjson.String, Pattern: "[a-z]+/[a-z]+"},
	node: {Name: "Node", Kind: awsjson.Structure, Members: []awsjson.Member{
		{Name: "value", ShapeID: name, Required: true}, {Name: "children", ShapeID: nodes}}},
	source: {Name: "Source", Kind: awsjson.Structure, Union: true, Members: []awsjson.Member{
		{Name: "file", ShapeID: text}, {Name: "link", ShapeID: text}}},
	makeInput: {Name: "MakeInput", Kind: awsjson.Structure, Members: []awsjson.Member{
		{Name: "name", ShapeID: name, Required: true}, {Name: "color", ShapeID: color}, {Name: "count", ShapeID: count},
		{Name: "flag", ShapeID: flag}, {Name: "keys", ShapeID: keys}, {Name: "node", ShapeID: node},
		{Name: "nodes", ShapeID: nodes}, {Name: "secret", ShapeID: secret}, {Name: "source", ShapeID: source},
		{Name: "text", ShapeID: text}, {Name: "when", ShapeID: when}, {Name: "colors", ShapeID: colors},
		{Name: "path", ShapeID: path}}},
	makeOutput: {Name: "MakeOutput", Kind: awsjson.Structure, Members: []awsjson.Member{{Name: "made", ShapeID: makeInput}}},
})

type Maker interface {
	Make(ctx context.Context, in *MakeInput) (*MakeOutput, error)
}

var service = &awsjson.Service{Name: "Maker", SigningName: "maker", TargetPrefix: "Maker1", Namespace: "com.example.maker"}

var operations = []awsjson.Operation{{
	Service: service, Name: "Make", Input: &shapes[makeInput], Output: &shapes[makeOutput], Method: awsjson.Bind(Maker.Make),
}}

var (
	errKnown = errors.New("known to MapError")
	errDisk  = errors.New("disk on fire")
)

// echo is the implementation. A few names make it fail in a certain way.
type echo struct{}

func (echo) Make(_ context.Context, in *MakeInput) (*MakeOutput, error) {
	switch *in.Name {
	case "nothing":
		return nil, nil
	case "panic":
		panic("a bug")
	case "refuse":
		return nil, &awsjson.Error{Code: "ConflictException", Message: "taken: <a>", Cause: errDisk}
	case "known":
		return nil, errKnown
	case "unknown":
		return nil, errDisk
	}
	return &MakeOutput{Made: in}, nil
}

func mapError(err error) *awsjson.Error {
	if errors.Is(err, errKnown) {
		return &awsjson.Error{Code: "ThrottlingException", Message: "slow down"}
	}
	return nil
}
