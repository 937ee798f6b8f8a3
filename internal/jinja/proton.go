package jinja

import (
	"regexp"
	"strconv"
	"strings"
)

// protonFilters are those the Proton service adds to Jinja.
var protonFilters = table(
	define("proton_cfn_ecs_task_definition_formatted_env_vars", "value raw?", func(r *run, a []any) any {
		var lines []string
		r.eachVariable(a, func(key, value string) {
			lines = append(lines, "- Name: "+yamlScalar(key), "  Value: "+yamlScalar(value))
		})
		return multiline(strings.Join(lines, "\n"))
	}),
	define("proton_cfn_lambda_function_formatted_env_vars", "value raw?", func(r *run, a []any) any {
		var lines []string
		r.eachVariable(a, func(key, value string) {
			lines = append(lines, yamlScalar(key)+": "+yamlScalar(value))
		})
		return multiline(strings.Join(lines, "\n"))
	}),
	define("proton_cfn_iam_policy_arns", "value", func(r *run, a []any) any {
		var lines []string
		for _, e := range r.mapping(a[0]) {
			if s, ok := text(e.value); ok && policyARN.MatchString(s) {
				lines = append(lines, "- "+yamlScalar(s))
				r.alloc(len(s))
			}
		}
		return multiline(strings.Join(lines, "\n"))
	}),
	define("proton_cfn_sanitize", "value", func(r *run, a []any) any {
		r.refuse(a[0])
		s := r.str(a[0])
		if !plainWord.MatchString(s) && !validARN.MatchString(s) {
			r.failf(`Illegal character(s) detected in "%s". Must match regex ^[a-zA-Z0-9_-]*$ or be a valid ARN`, s)
		}
		return a[0]
	}),
)

var (
	plainWord = regexp.MustCompile(`^[a-zA-Z0-9_-]*$`)
	policyARN = regexp.MustCompile(`^arn:[a-zA-Z-]+:iam::\d{12}:policy/`)
	// validARN leaves out spaces, quotes, braces and control characters.
	validARN = regexp.MustCompile(`^arn:[a-zA-Z-]+:[a-zA-Z0-9-]+:[a-zA-Z0-9-]*:(\d{12})?:[^\s"'{}` + "`" + `\x00-\x1f\x7f]+$`)
	// plainYAML are texts that YAML reads back as the same string unquoted.
	plainYAML = regexp.MustCompile(`^[a-zA-Z_/][a-zA-Z0-9_./:@+=-]*$`)
)

// mapping is the entries of the map a Proton filter works on.
func (r *run) mapping(v any) []dictEntry {
	r.refuse(v)
	d, ok := v.(*dict)
	if !ok {
		r.failf("expected a map of names and values, got '%s'", typeName(v))
	}
	r.allocItems(d.len())
	return d.all(r)
}

// eachVariable calls add for each entry of a map of variables; with raw=False
// only plain words are allowed as values.
func (r *run) eachVariable(a []any, add func(key, value string)) {
	raw := r.optBool(a[1], true)
	for _, e := range r.mapping(a[0]) {
		key, value := r.str(e.key), r.str(e.value)
		if !raw && !plainWord.MatchString(value) {
			r.failf(`Illegal character(s) detected in "%s". Must match regex ^[a-zA-Z0-9_-]*$`, value)
		}
		r.alloc(2 * (len(key) + len(value) + 16))
		add(key, value)
	}
}

// yamlScalar writes a string so that YAML reads it back as that string: plain
// where that is safe, in double quotes otherwise.
func yamlScalar(s string) string {
	if plainYAML.MatchString(s) && !strings.HasSuffix(s, ":") && !yamlWords[strings.ToLower(s)] {
		return s
	}
	return yamlQuote(s)
}

// yamlWords are plain scalars that YAML 1.1 or 1.2 reads as something else.
var yamlWords = map[string]bool{
	"null": true, "true": true, "false": true, "yes": true, "no": true,
	"on": true, "off": true, "y": true, "n": true, "~": true,
}

func yamlQuote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c >= 0x7f && c < 0xa0:
			b.WriteString(`\x` + strconv.FormatInt(int64(c)+0x100, 16)[1:])
		case c == 0x2028 || c == 0x2029 || c == 0xfeff:
			b.WriteString(`\u` + strconv.FormatInt(int64(c)+0x10000, 16)[1:])
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
