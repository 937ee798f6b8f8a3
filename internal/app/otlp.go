package app

import (
	"fmt"
	"net/url"
	"strings"
)

// standardOTLP are the settings of tracing as OpenTelemetry's own variables have
// them, for what is not set otherwise. Nil if they want no traces.
func standardOTLP(lookupEnv func(string) (string, bool)) (map[string]string, error) {
	env := func(names ...string) string {
		for _, name := range names {
			if value, _ := lookupEnv(name); value != "" {
				return value
			}
		}
		return ""
	}
	if strings.EqualFold(env("OTEL_SDK_DISABLED"), "true") || env("OTEL_TRACES_EXPORTER") == "none" {
		return nil, nil
	}
	endpoint := env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	if base := env("OTEL_EXPORTER_OTLP_ENDPOINT"); endpoint == "" && base != "" {
		endpoint = strings.TrimRight(base, "/") + tracesPath
	}
	if endpoint == "" {
		return nil, nil
	}
	if protocol := env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL: %q is not spoken here; traces are sent as http/protobuf (mostly to port 4318)", protocol)
	}
	return map[string]string{
		"otlp-endpoint": endpoint,
		"otlp-headers":  env("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"),
	}, nil
}

const tracesPath = "/v1/traces"

// tracesURL is where spans are POSTed to, of a URL that may have no path.
func tracesURL(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil || strings.Trim(u.Path, "/") != "" {
		return endpoint
	}
	u.Path = tracesPath
	return u.String()
}

// otlpHeaders reads name=value pairs, as OTEL_EXPORTER_OTLP_HEADERS has them. Its
// errors show no value.
func otlpHeaders(text string) (map[string]string, error) {
	headers := map[string]string{}
	for n, pair := range strings.Split(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || name == "" || err != nil {
			return nil, fmt.Errorf("pair %d is not name=value with special characters as %%XX", n+1)
		}
		headers[name] = value
	}
	return headers, nil
}
