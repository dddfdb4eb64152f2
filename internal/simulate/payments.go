package simulate

import (
	"math"
	"math/rand/v2"
	"time"
)

// Scenario is why an event is a fraud.
type Scenario uint8

// The scenarios. The first four are those of the Handbook.
const (
	Genuine             Scenario = iota
	LargeAmount                  // an amount above the limit
	CompromisedTerminal          // every payment at a terminal for a while
	CompromisedCustomer          // some of a customer's payments for a while, at a multiple of the amount
	CardTest                     // many tiny payments in minutes at random terminals, then a large one
)

// Event is one payment.
type Event struct {
	ID       int64 // 0, 1, ... in order of time
	Time     int64 // microseconds since the Unix epoch, UTC
	Customer int   // position in World.Customers
	Terminal int   // position in World.Terminals
	Amount   int64 // minor units, at least 1
	Scenario Scenario
	KnownAt  int64 // when its verdict is known, microseconds since the Unix epoch; see Labels
}

// Fraud says what the event's verdict will be.
func (e *Event) Fraud() bool { return e.Scenario != Genuine }

// pay makes all payments of one customer, day by day, but for the card tests.
func (w *World) pay(c *Customer) {
	r := stream(w.config.Seed, forPayments, c.ID)
	for day := range w.config.Days {
		weekend := w.weekend(day)
		mean := c.PaymentsPerDay / (5 + float64(2*c.Weekend)) * 7
		if weekend {
			mean *= c.Weekend
		}
		for range poisson(r, mean) {
			e := Event{Time: w.day(day) + timeOfDay(r, c.Night, weekend), Customer: c.ID, Terminal: c.Terminals[r.IntN(len(c.Terminals))]}
			amount := c.amount(r)
			w.defraud(&e, c, day, amount, r)
			w.add(e, r)
		}
	}
}

// amount draws a genuine amount: normal, and where that would be negative, uniform up to twice the mean.
func (c *Customer) amount(r *rand.Rand) float64 {
	amount := c.Mean + float64(c.Std*r.NormFloat64())
	if amount < 0 {
		amount = uniform(r, 0, 2*c.Mean)
	}
	return amount
}

// defraud decides what becomes of a payment, and sets its amount. What it draws does not depend on the drift before its day.
func (w *World) defraud(e *Event, c *Customer, day int, amount float64, r *rand.Rand) {
	f, factor, inflation, far := w.config.Frauds, w.config.Frauds.CustomerFactor, 1.0, false
	if w.config.drifted(day) {
		d := w.config.Drift
		factor, inflation, far = d.CustomerFactor, d.Inflation, d.FarFromHome
	}
	amount *= inflation
	switch {
	case within(c.compromised, e.Time) && r.Float64() < f.CustomerShare:
		e.Scenario = CompromisedCustomer
		amount *= factor
		if far {
			e.Terminal = r.IntN(len(w.terminals))
		}
	case within(w.terminals[e.Terminal].compromised, e.Time):
		e.Scenario = CompromisedTerminal
	case minor(amount) > minor(f.LargeAmount*inflation):
		e.Scenario = LargeAmount
	}
	e.Amount = minor(amount)
}

// minor gives an amount in cents, at least one.
func minor(major float64) int64 { return max(1, int64(math.Round(major*100))) }

// timeOfDay draws microseconds since midnight: mostly around midday and in the early evening, later on weekends, a share at night.
func timeOfDay(r *rand.Rand, night float64, weekend bool) int64 {
	later := 0.0
	if weekend {
		later = 1.5
	}
	for {
		var hour float64
		switch u := r.Float64(); {
		case u < night:
			hour = uniform(r, 0, 6)
		case u < night+float64((1-night)*.55):
			hour = 12.5 + later + float64(2.2*r.NormFloat64())
		default:
			hour = 18.5 + later + float64(1.8*r.NormFloat64())
		}
		if us := int64(hour * float64(time.Hour.Microseconds())); hour >= 0 && us < dayUS {
			return us
		}
	}
}

// test makes the card tests of one day. They end before midnight.
func (w *World) test(day int) {
	r := stream(w.config.Seed, forBursts, day)
	factor := 1.0
	if w.config.drifted(day) {
		factor = w.config.Drift.BurstFactor
	}
	for range poisson(r, w.config.Frauds.BurstRate*float64(len(w.customers))) {
		customer := r.IntN(len(w.customers))
		at := w.day(day) + int64(r.Float64()*float64(22*time.Hour.Microseconds()))
		for range 8 + r.IntN(13) {
			w.add(Event{Time: at, Customer: customer, Terminal: r.IntN(len(w.terminals)), Amount: minor(uniform(r, .5, 2) * factor), Scenario: CardTest}, r)
			at += int64(uniform(r, 2, 30) * float64(time.Second.Microseconds()))
		}
		at += int64(uniform(r, 1, 10) * float64(time.Minute.Microseconds()))
		w.add(Event{Time: at, Customer: customer, Terminal: r.IntN(len(w.terminals)), Amount: minor(uniform(r, 150, 600)), Scenario: CardTest}, r)
	}
}

// add keeps an event and draws when its verdict is known.
func (w *World) add(e Event, r *rand.Rand) {
	l := w.config.Labels
	late := min(l.Fixed.Microseconds()+int64(float64(l.Mean.Microseconds())*r.ExpFloat64()), l.Max.Microseconds())
	if !e.Fraud() {
		late = l.Legitimate.Microseconds()
	}
	e.KnownAt = e.Time + late
	w.events = append(w.events, e)
}
