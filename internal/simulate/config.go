// Package simulate makes the fraud world of the demo: customers and terminals in a plane, payments with the rhythm of
// days and weeks, four kinds of fraud, labels that come late, and, when asked, a drift.
//
// The same Config gives the same world to the byte with the same Go release on the same architecture: every customer,
// terminal and day draws from a random stream of its own. A longer world starts with the shorter one, and a world with a drift is the
// one without until that day. Scenarios 1 to 3 follow the Fraud Detection Handbook (Le Borgne et al., 2022, chapter 3).
//
// The package writes CSV and lends its events in order; it does not score, import or send anything.
package simulate

import (
	"errors"
	"fmt"
	"time"
)

// Config describes a world. Start from DefaultConfig.
type Config struct {
	Seed      uint64
	Start     time.Time // first moment of day 0: a midnight UTC
	Days      int
	Customers int
	Terminals int
	Radius    float64 // customers pay at terminals at most this far from home; the plane is 100 x 100
	// PaymentsPerDay is the mean over customers; each has a mean of its own between nothing and twice this.
	PaymentsPerDay float64
	Frauds         Frauds
	Labels         Labels
	Drift          Drift
}

// Frauds says how much of each kind there is. Rates are per customer or terminal and day, so that they fit any size.
type Frauds struct {
	LargeAmount    float64       // scenario 1: every genuine amount above this is a fraud; major units
	TerminalRate   float64       // scenario 2: chance of a terminal to become compromised on a day
	TerminalFor    time.Duration // how long it stays so; all its payments are frauds
	CustomerRate   float64       // scenario 3: chance of a customer to become compromised on a day
	CustomerFor    time.Duration
	CustomerShare  float64 // share of the compromised customer's payments that are frauds
	CustomerFactor float64 // and by what their amounts are multiplied
	BurstRate      float64 // scenario 4: card tests per customer and day
}

// Labels says when verdicts become known: a fraud at event + Fixed + exponential(Mean), never later than event + Max.
type Labels struct {
	Fixed time.Duration
	Mean  time.Duration
	Max   time.Duration
	// Legitimate is when nobody will complain any more. Not a statement of anyone, but what an export may call legitimate.
	Legitimate time.Duration
}

// Drift changes the world from a day on.
type Drift struct {
	Day            int     // first day of the changed world, counted from 0; 0 = never
	CustomerFactor float64 // replaces Frauds.CustomerFactor
	FarFromHome    bool    // scenario 3 happens at terminals anywhere instead of the customer's own
	BurstFactor    float64 // the tiny amounts of card tests are multiplied by this
	Inflation      float64 // genuine amounts, and the limit of scenario 1, are multiplied by this
}

// DefaultConfig is the world of the demo: 120 days, a little over 300,000 payments, 0.5 to 1 % of them frauds, no drift.
func DefaultConfig(seed uint64, start time.Time) Config {
	const day = 24 * time.Hour
	return Config{
		Seed: seed, Start: start, Days: 120, Customers: 1300, Terminals: 2600, Radius: 5, PaymentsPerDay: 2,
		Frauds: Frauds{
			LargeAmount:  220,
			TerminalRate: .00013, TerminalFor: 28 * day,
			CustomerRate: .0005, CustomerFor: 14 * day, CustomerShare: 1. / 3, CustomerFactor: 5,
			BurstRate: .0002,
		},
		Labels: Labels{Fixed: day, Mean: 5 * day, Max: 30 * day, Legitimate: 30 * day},
	}
}

// DefaultDrift is a change that hurts a model trained before it: compromised customers pay modest sums far from home, and
// card tests are no longer tiny.
func DefaultDrift(day int) Drift {
	return Drift{Day: day, CustomerFactor: 1.5, FarFromHome: true, BurstFactor: 12, Inflation: 1}
}

// Validate reports everything that is wrong at once.
func (c Config) Validate() error {
	var errs []error
	atLeast := func(name string, value, low float64) {
		const high = 1e7 // beyond it amounts and counts stop being numbers that mean something
		if !(value >= low && value <= high) {
			errs = append(errs, fmt.Errorf("simulate: %s is %v; give at least %v and at most %v", name, value, low, high))
		}
	}
	share := func(name string, value float64) {
		if !(value >= 0 && value <= 1) {
			errs = append(errs, fmt.Errorf("simulate: %s is %v; give a share between 0 and 1", name, value))
		}
	}
	if year := c.Start.Year(); year < 1970 || year > 2190 || c.Start.UnixMicro()%dayUS != 0 {
		errs = append(errs, fmt.Errorf("simulate: start is %v; give a midnight UTC between 1970 and 2190", c.Start))
	}
	atLeast("days", float64(c.Days), 1)
	atLeast("customers", float64(c.Customers), 1)
	atLeast("terminals", float64(c.Terminals), 1)
	atLeast("radius", c.Radius, 0)
	atLeast("payments a day", c.PaymentsPerDay, 0)
	atLeast("large amount", c.Frauds.LargeAmount, 0)
	share("terminal rate", c.Frauds.TerminalRate)
	share("customer rate", c.Frauds.CustomerRate)
	share("customer share", c.Frauds.CustomerShare)
	share("burst rate", c.Frauds.BurstRate)
	atLeast("days a terminal stays compromised", days(c.Frauds.TerminalFor), 0)
	atLeast("days a customer stays compromised", days(c.Frauds.CustomerFor), 0)
	atLeast("customer factor", c.Frauds.CustomerFactor, 0)
	atLeast("fixed label delay in days", days(c.Labels.Fixed), 0)
	atLeast("mean label delay in days", days(c.Labels.Mean), 0)
	atLeast("maximum label delay in days", days(c.Labels.Max), days(c.Labels.Fixed))
	atLeast("delay of legitimate labels in days", days(c.Labels.Legitimate), 0)
	if c.Drift.Day != 0 {
		atLeast("drift day", float64(c.Drift.Day), 1)
		atLeast("customer factor after the drift", c.Drift.CustomerFactor, 0)
		atLeast("burst factor after the drift", c.Drift.BurstFactor, 0)
		atLeast("inflation", c.Drift.Inflation, 0)
	}
	return errors.Join(errs...)
}

func days(d time.Duration) float64 { return d.Hours() / 24 }

// drifted says whether a day belongs to the changed world.
func (c Config) drifted(day int) bool { return c.Drift.Day > 0 && day >= c.Drift.Day }
