package main

import (
	"encoding/json"

	"github.com/hadronhq/hadron/internal/jinja"
	"github.com/hadronhq/hadron/internal/schema"
)

// variables reads the parameters of a case in their order.
func variables(raw []byte) (*jinja.Map, error) {
	o := schema.NewObject()
	if err := json.Unmarshal(raw, o); err != nil {
		return nil, err
	}
	return toJinja(o).(*jinja.Map), nil
}

func toJinja(v any) any {
	switch v := v.(type) {
	case *schema.Object:
		m := jinja.NewMap()
		for _, k := range v.Keys() {
			value, _ := v.Get(k)
			m.Set(k, toJinja(value))
		}
		return m
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = toJinja(item)
		}
		return items
	}
	return v
}
