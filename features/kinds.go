package features

type trait struct{ labels bool }

var traits = map[string]trait{}

func (f *form) check() (key, problem string) { return "", "" }
