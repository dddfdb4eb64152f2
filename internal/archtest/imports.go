package archtest

import "strings"

// find returns the row of a folder.
func find(folder string) (row, bool) {
	for _, r := range table() {
		if r.pkg == folder {
			return r, true
		}
	}
	for _, r := range table() {
		if match(r.pkg, folder) {
			return r, true
		}
	}
	return row{}, false
}

// checkPlace asks for a row of the table.
func checkPlace(p *pkg) []Violation {
	if _, ok := find(p.folder); ok {
		return nil
	}
	return []Violation{{
		File:    p.folder,
		Problem: "the package is not in the import table: give it a row in internal/archtest/table.go and a place in docs/ARCHITECTURE.md",
	}}
}

// checkImports holds the imports of our own packages against the table.
func checkImports(m *module, p *pkg) []Violation {
	r, ok := find(p.folder)
	if !ok {
		return nil // said already
	}
	allowed := r.may
	if allowed == nothing {
		allowed = "nothing of ours"
	}
	var found []Violation
	for _, f := range p.files {
		for _, i := range m.imports(f) {
			if i.ours != "" && !match(r.may, i.ours) {
				found = append(found, f.violation(i.spec, "%s may not import %s (allowed: %s)", p.folder, i.ours, allowed))
			}
		}
	}
	return found
}

// checkOnly holds all imports, but those of generated code, against the monopolies.
func checkOnly(m *module, p *pkg) []Violation {
	var found []Violation
	for _, f := range p.files {
		if f.generated {
			continue
		}
		for _, i := range m.imports(f) {
			for _, rule := range only() {
				path := i.path
				if i.ours != "" {
					path = i.ours
				}
				covered := path == rule.what || strings.HasPrefix(path, rule.what+"/")
				own := p.folder == rule.what || strings.HasPrefix(p.folder, rule.what+"/")
				if covered && !own && !match(rule.who, p.folder) && !match(rule.who, f.name) {
					found = append(found, f.violation(i.spec, "%s may not import %s: %s", p.folder, path, rule.why))
				}
			}
		}
	}
	return found
}
