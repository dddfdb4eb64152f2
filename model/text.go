package model

import (
	"bytes"
	"encoding/json"
	"strings"
)

// section is one block of "key=value" lines.
type section struct {
	fields map[string]string
	bytes  int // with the "Tree=" line and the blank lines up to the next block
}

// textFile is a model file cut into its blocks; values are not looked at yet.
type textFile struct {
	header     section
	trees      []section
	parameters map[string]string
	pandas     json.RawMessage
}

const (
	endOfTrees      = "end of trees"
	parametersBlock = "\nparameters:\n"
	endOfParameters = "end of parameters"
	pandasPrefix    = "pandas_categorical:"
)

// split cuts the text into header, trees and the tail behind the trees.
func split(text []byte) (textFile, error) {
	var f textFile
	if !bytes.HasPrefix(text, []byte("tree\n")) {
		return f, refuse(ErrDamaged, "not a LightGBM text model: its first line is not \"tree\"")
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return f, refuse(ErrDamaged, "not a LightGBM text model: it holds zero bytes")
	}
	body, tail, ended := strings.Cut(string(text), "\n"+endOfTrees+"\n")
	blocks := strings.Split(body, "\nTree=")
	// What the model keeps of the text must not keep all of it.
	header, err := fields(strings.Clone(strings.TrimPrefix(blocks[0], "tree\n")))
	if err != nil {
		return f, refuse(ErrDamaged, "header: %s", err)
	}
	f.header = section{fields: header}
	for i, block := range blocks[1:] {
		_, lines, _ := strings.Cut(block, "\n")
		values, err := fields(lines)
		if err != nil {
			return f, refuse(ErrDamaged, "tree %d: %s", i, err)
		}
		// The separator took the line end before "Tree=": one byte each way.
		f.trees = append(f.trees, section{fields: values, bytes: len("Tree=") + len(block) + 1})
	}
	if !ended {
		return f, refuse(ErrDamaged, "no line %q: the file is cut, or so old that it has none: then load and save it with LightGBM 4", endOfTrees)
	}
	tail = strings.Clone(tail)
	f.parameters = readParameters(tail)
	f.pandas, err = readTail(tail)
	return f, err
}

// fields reads "key=value" lines. A key without "=" is a flag.
func fields(text string) (map[string]string, error) {
	values := make(map[string]string, 24)
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" {
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		if _, twice := values[key]; twice {
			return nil, refuse(ErrDamaged, "%q is stated twice", shorten(key))
		}
		values[key] = value
	}
	return values, nil
}

// readParameters reads the block of "[name: value]" lines. Nothing here depends
// on them, so that what is no such line is passed over.
func readParameters(tail string) map[string]string {
	_, block, _ := strings.Cut(tail, parametersBlock)
	block, _, _ = strings.Cut(block, "\n"+endOfParameters)
	parameters := make(map[string]string)
	for line := range strings.SplitSeq(block, "\n") {
		inner, opened := strings.CutPrefix(line, "[")
		inner, closed := strings.CutSuffix(inner, "]")
		name, value, parted := strings.Cut(inner, ":")
		if opened && closed && parted {
			parameters[name] = strings.TrimSpace(value)
		}
	}
	return parameters
}

// readTail checks that what follows the trees was not cut, and finds Python's
// category values in it.
func readTail(tail string) (json.RawMessage, error) {
	trimmed := strings.TrimRight(tail, "\n")
	if trimmed == "" {
		return nil, nil // the trees are all there
	}
	last := trimmed[strings.LastIndexByte(trimmed, '\n')+1:]
	if last == endOfParameters {
		return nil, nil
	}
	text, found := strings.CutPrefix(last, pandasPrefix)
	if !found || !json.Valid([]byte(text)) {
		return nil, refuse(ErrDamaged, "the text behind the trees ends with %q, not with %q: the file is cut", shorten(last), endOfParameters)
	}
	if text == "null" || text == "[]" {
		return nil, nil
	}
	return json.RawMessage(text), nil
}

// shorten keeps hostile text out of error messages.
func shorten(s string) string {
	const most = 60
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "?") + "..."
	}
	return strings.ToValidUTF8(s, "?")
}
