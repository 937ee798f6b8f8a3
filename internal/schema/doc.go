// Package schema reads the input schemas of templates (the OpenAPI 3.0 subset
// that Proton documents) and checks and completes the values of specs with
// them.
//
// It hides two libraries: the YAML parser, behind Node, which keeps the source
// text and the place of every value; and the OpenAPI schema validator, behind
// Types and Type. Values stay in the order of the schema and keep their kind:
// the integer 80, the float 80.0 and the text "80" are three things.
//
// It never resolves a reference outside the schema, never changes a text it
// was given, and bounds depth, size and the expansion of aliases.
package schema
