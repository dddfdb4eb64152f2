// Package openapi holds the OpenAPI document of Haechi's REST API, made from the protos beside it. It serves nothing.
package openapi

import _ "embed"

//go:embed haechi.swagger.json
var document string

// Document returns the document as JSON text.
func Document() string { return document }
