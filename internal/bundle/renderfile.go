package bundle

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hadronhq/hadron/internal/jinja"
	"github.com/hadronhq/hadron/internal/schema"
)

// RenderFile renders one template with exactly the names of a JSON object,
// whose order and kinds of numbers are kept. What is wrong with the template is
// a *RenderError.
func RenderFile(ctx context.Context, name, source string, parameters []byte) (string, error) {
	values := schema.NewObject()
	if err := json.Unmarshal(parameters, values); err != nil {
		return "", fmt.Errorf("parameters: %w", err)
	}
	return renderTemplate(ctx, name, source, toJinja(values).(*jinja.Map))
}
