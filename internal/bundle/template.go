package bundle

import (
	"context"
	"errors"

	"github.com/hadronhq/hadron/internal/schema"
)

// Rendering of Jinja templates comes with the Jinja engine.
var errNoJinja = errors.New("this build can't render jinja templates yet")

func templateProblem(string, string) *Problem { return nil }

func variables(Part, *schema.Object, Data) *schema.Object { return nil }

func renderTemplate(context.Context, string, string, *schema.Object) (string, error) {
	return "", errNoJinja
}

type propertyRenderer struct {
	ctx  context.Context
	path string
	vars *schema.Object
}

func (p *propertyRenderer) check(*schema.Node) []Problem { return nil }

func (p *propertyRenderer) value(n *schema.Node) (any, error) { return n.Value(), nil }
