package model

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Golden holds rows and the raw scores that LightGBM's own library gave them.
// Its JSON form is exact for every float64: numbers are hexadecimal text, the
// others "NaN", "+Inf" and "-Inf" (one NaN for all).
type Golden struct {
	Rows [][]float64
	Raw  []float64
}

type goldenJSON struct {
	Rows [][]exact `json:"rows"`
	Raw  []exact   `json:"raw"`
}

// exact is a float64 whose text form gives the same bits back.
type exact float64

// MarshalText implements encoding.TextMarshaler.
func (x exact) MarshalText() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(x), 'x', -1, 64), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (x *exact) UnmarshalText(text []byte) error {
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return fmt.Errorf("golden rows: %w", err)
	}
	*x = exact(v)
	return nil
}

// MarshalJSON implements json.Marshaler.
func (g Golden) MarshalJSON() ([]byte, error) {
	out := goldenJSON{Rows: make([][]exact, len(g.Rows)), Raw: convert[exact](g.Raw)}
	for i, row := range g.Rows {
		out.Rows[i] = convert[exact](row)
	}
	return json.Marshal(out)
}

// UnmarshalJSON implements json.Unmarshaler.
func (g *Golden) UnmarshalJSON(data []byte) error {
	var in goldenJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	if len(in.Rows) != len(in.Raw) {
		return fmt.Errorf("golden rows: %d rows and %d scores", len(in.Rows), len(in.Raw))
	}
	g.Rows, g.Raw = make([][]float64, len(in.Rows)), convert[float64](in.Raw)
	for i, row := range in.Rows {
		g.Rows[i] = convert[float64](row)
	}
	return nil
}

func convert[To, From ~float64](from []From) []To {
	to := make([]To, len(from))
	for i, v := range from {
		to[i] = To(v)
	}
	return to
}
