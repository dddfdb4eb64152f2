package lightgbm

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Constants of LightGBM's C API.
const (
	dtypeFloat32 = 0
	dtypeFloat64 = 1
	predictRaw   = 1
	rowMajor     = 1
	validIndex   = 1 // the data set 0 is the training's
)

// capi is LightGBM's C API. Its last error and its log callback belong to the
// OS thread: all calls must come from one.
type capi struct {
	lastError       func() string
	registerLog     func(callback uintptr) int32
	datasetFromMat  func(data unsafe.Pointer, dtype, rows, columns, isRowMajor int32, params string, reference uintptr, out *uintptr) int32
	datasetSetNames func(dataset uintptr, names unsafe.Pointer, n int32) int32
	datasetSetField func(dataset uintptr, name string, data unsafe.Pointer, n, dtype int32) int32
	boosterCreate   func(dataset uintptr, params string, out *uintptr) int32
	boosterAddValid func(booster, dataset uintptr) int32
	boosterUpdate   func(booster uintptr, finished *int32) int32
	boosterEvalN    func(booster uintptr, out *int32) int32
	boosterEval     func(booster uintptr, index int32, n *int32, out *float64) int32
	boosterSave     func(booster uintptr, from, n, importance int32, size int64, need *int64, out unsafe.Pointer) int32
	boosterLoad     func(text string, iterations *int32, out *uintptr) int32
	boosterClasses  func(booster uintptr, out *int32) int32
	boosterPredict  func(booster uintptr, data unsafe.Pointer, dtype, rows, columns, isRowMajor, kind, from, n int32, params string, size *int64, out *float64) int32
}

// apiError is a call that LightGBM refused.
type apiError struct{ call, message string }

func (e *apiError) Error() string { return e.call + ": " + e.message }

// load opens the library and sends its log lines to log.
func load(path string, log func(line string)) (c *capi, err error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, &apiError{"load", explainLoad(err.Error())}
	}
	defer func() { // purego panics when a name is missing
		if reason := recover(); reason != nil {
			c, err = nil, &apiError{"load", fmt.Sprintf("%v: this is not LightGBM 4: %s", reason, howToInstall)}
		}
	}()
	c = new(capi)
	for name, function := range map[string]any{
		"LGBM_GetLastError":               &c.lastError,
		"LGBM_RegisterLogCallback":        &c.registerLog,
		"LGBM_DatasetCreateFromMat":       &c.datasetFromMat,
		"LGBM_DatasetSetFeatureNames":     &c.datasetSetNames,
		"LGBM_DatasetSetField":            &c.datasetSetField,
		"LGBM_BoosterCreate":              &c.boosterCreate,
		"LGBM_BoosterAddValidData":        &c.boosterAddValid,
		"LGBM_BoosterUpdateOneIter":       &c.boosterUpdate,
		"LGBM_BoosterGetEvalCounts":       &c.boosterEvalN,
		"LGBM_BoosterGetEval":             &c.boosterEval,
		"LGBM_BoosterSaveModelToString":   &c.boosterSave,
		"LGBM_BoosterLoadModelFromString": &c.boosterLoad,
		"LGBM_BoosterGetNumClasses":       &c.boosterClasses,
		"LGBM_BoosterPredictForMat":       &c.boosterPredict,
	} {
		purego.RegisterLibFunc(function, handle, name)
	}
	return c, c.check("LGBM_RegisterLogCallback", c.registerLog(logCallback(log)))
}

// logCallback joins the pieces in which LightGBM logs into lines.
func logCallback(log func(line string)) uintptr {
	var partial []byte
	return purego.NewCallback(func(text *byte) uintptr {
		partial = append(partial, goString(text)...)
		for {
			line, rest, ended := bytes.Cut(partial, []byte("\n"))
			if !ended {
				return 0
			}
			if len(line) > 0 {
				log(string(line))
			}
			partial = append(partial[:0], rest...)
		}
	})
}

func goString(text *byte) string {
	if text == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(text), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(text, n))
}

func (c *capi) check(call string, code int32) error {
	if code == 0 {
		return nil
	}
	message := c.lastError()
	if strings.Contains(message, "bad_alloc") {
		message += ": out of memory: give the training more, or fewer rows or bins"
	}
	return &apiError{call, message}
}

// dataset hands a table over; LightGBM keeps its own binned copy. With a
// reference it is binned like that one.
func (c *capi) dataset(d *Data, params string, reference uintptr) (uintptr, error) {
	var set uintptr
	err := c.check("LGBM_DatasetCreateFromMat", c.datasetFromMat(unsafe.Pointer(unsafe.SliceData(d.Values)), dtypeFloat64,
		int32(d.Rows), int32(d.Columns), rowMajor, params, reference, &set))
	if err != nil {
		return 0, err
	}
	if reference == 0 {
		if err := c.names(set, d.Names); err != nil {
			return 0, err
		}
	}
	if err := c.field(set, "label", d.Label); err != nil {
		return 0, err
	}
	return set, c.field(set, "weight", d.Weight)
}

func (c *capi) field(set uintptr, name string, values []float32) error {
	if values == nil {
		return nil
	}
	return c.check("LGBM_DatasetSetField", c.datasetSetField(set, name, unsafe.Pointer(unsafe.SliceData(values)), int32(len(values)), dtypeFloat32))
}

func (c *capi) names(set uintptr, names []string) error {
	texts := make([]*byte, len(names))
	var pinned runtime.Pinner
	defer pinned.Unpin()
	for i, name := range names {
		texts[i] = unsafe.SliceData(append([]byte(name), 0))
		pinned.Pin(texts[i])
	}
	return c.check("LGBM_DatasetSetFeatureNames", c.datasetSetNames(set, unsafe.Pointer(unsafe.SliceData(texts)), int32(len(names))))
}

// save gives the text of the first n iterations.
func (c *capi) save(booster uintptr, n int) ([]byte, error) {
	const splitImportance = 0
	text := make([]byte, 1<<20)
	for {
		var need int64
		code := c.boosterSave(booster, 0, int32(n), splitImportance, int64(len(text)), &need, unsafe.Pointer(unsafe.SliceData(text)))
		if err := c.check("LGBM_BoosterSaveModelToString", code); err != nil {
			return nil, err
		}
		if need <= int64(len(text)) {
			return bytes.TrimRight(text[:need], "\x00"), nil
		}
		text = make([]byte, need)
	}
}
