package project

import (
	"slices"
	"strings"
)

// words is a list of texts that may be written as one text.
type words []string

// train checks the training block. List and feature names are checked against what was declared.
func (raw *rawEventType) train(d *document, t *EventType) Train {
	r := &raw.Train
	out := Train{
		Features: r.inputs(d, t), Span: micros(r.Span), Validation: micros(r.Validation),
		Rounds: r.Rounds, EarlyStopping: r.EarlyStopping, Seed: r.Seed,
	}
	for _, n := range []struct {
		name  string
		value int
		most  int
	}{{"rounds", r.Rounds, 100_000}, {"early_stopping", r.EarlyStopping, 100_000}, {"seed", r.Seed, 1<<31 - 1}} {
		if n.value < 0 || n.value > n.most {
			d.report("train."+n.name, "must lie between 0 and %d", n.most)
		}
	}
	if r.Span > 0 && r.Validation >= r.Span {
		d.report("train.validation", "must be shorter than train.span, of which it is the end")
	}
	for _, name := range sortedKeys(r.Params) {
		at := "train.params." + name
		if owner := ownedParameter(name); owner != "" {
			d.reportKey(at, "is set by %s; remove it here", owner)
			continue
		}
		if value := string(r.Params[name]); value == "" || strings.ContainsAny(value, " \t\n=") {
			d.report(at, "%q is not a value of a LightGBM parameter", value)
			continue
		}
		if out.Params == nil {
			out.Params = map[string]string{}
		}
		out.Params[name] = string(r.Params[name])
	}
	return out
}

// ownedParameter says who sets a LightGBM parameter that an event type must not: those that decide what the model is or
// where the job may write.
func ownedParameter(name string) string {
	switch name {
	case "num_threads", "num_thread", "nthread", "nthreads", "n_jobs":
		return "training.threads in haechi.yaml"
	case "num_iterations", "num_iteration", "n_iter", "num_tree", "num_trees", "num_round", "num_rounds", "nrounds", "num_boost_round", "n_estimators", "max_iter":
		return "train.rounds"
	case "early_stopping_round", "early_stopping_rounds", "early_stopping", "n_iter_no_change":
		return "train.early_stopping"
	case "seed", "random_seed", "random_state":
		return "train.seed"
	case "objective", "objective_type", "app", "application", "loss", "num_class", "boosting", "boosting_type", "boost",
		"linear_tree", "deterministic", "device_type", "device", "categorical_feature", "cat_feature", "categorical_column", "task", "task_type":
		return "the trainer"
	}
	if strings.HasSuffix(name, "_filename") || strings.HasSuffix(name, "_file") || strings.HasPrefix(name, "machine") ||
		slices.Contains([]string{"data", "train", "train_data", "valid", "test", "config", "input_model", "output_model", "output_result", "forcedsplits_filename", "save_binary", "snapshot_freq"}, name) {
		return "the trainer"
	}
	return ""
}

func (r *rawTrain) inputs(d *document, t *EventType) []string {
	all := make([]string, len(t.Definitions))
	for i := range t.Definitions {
		all[i] = t.Definitions[i].Name
	}
	if len(r.Features) == 0 {
		return all
	}
	if name, ok := strings.CutPrefix(r.Features[0], "@"); ok && len(r.Features) == 1 {
		list, known := t.Lists[name]
		if !known {
			d.report("train.features", "no list is called %q; declare it under lists", name)
		}
		return list
	}
	for i, name := range r.Features {
		if t.Definitions != nil && !slices.Contains(all, name) {
			d.report(item("train.features", i), "no feature is called %s; declare it under features, or name a list as \"@list\"", name)
		}
		if slices.Contains(r.Features[:i], name) {
			d.report(item("train.features", i), "%s is named already", name)
		}
	}
	return r.Features
}
