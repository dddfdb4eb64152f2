package features

// Expand turns features as written into definitions, in file order, a list of windows into one definition each (NAME_1d, NAME_7d, ...). The error
// joins a *SpecError for everything that is wrong.
func Expand(schema *Schema, names []string, specs map[string]Spec) ([]Definition, error) {
	return nil, errUnbuilt
}
