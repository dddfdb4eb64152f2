package simulate

import (
	"math"
	"math/rand/v2"
	"time"
)

// Customer is who pays. Positions are in the plane, 0 to 100, with three decimals.
type Customer struct {
	ID             int
	X, Y           float64 // home
	Country        string
	AgeBand        string
	Mean, Std      float64 // of an amount, major units
	PaymentsPerDay float64
	Weekend        float64 // payments on a weekend day against a weekday
	Night          float64 // share of payments between midnight and six
	Terminals      []int   // within the radius of home, in order; the nearest one when there is none

	compromised []span
}

// Terminal is where customers pay.
type Terminal struct {
	ID   int
	X, Y float64

	compromised []span
}

// span is a half-open time, microseconds since the Unix epoch.
type span struct{ from, to int64 }

func within(spans []span, t int64) bool {
	for _, s := range spans {
		if t >= s.from && t < s.to {
			return true
		}
	}
	return false
}

// country is the one with the nearest capital.
func country(x, y float64) string {
	capitals := [...]struct {
		name string
		x, y float64
	}{{"AT", 75, 35}, {"BE", 25, 85}, {"CH", 45, 20}, {"DE", 70, 75}, {"FR", 15, 45}}
	best, name := math.Inf(1), ""
	for _, c := range capitals {
		if d := distance(x, y, c.x, c.y); d < best {
			best, name = d, c.name
		}
	}
	return name
}

func distance(x1, y1, x2, y2 float64) float64 {
	dx, dy := x1-x2, y1-y2
	return math.Sqrt(float64(dx*dx) + float64(dy*dy))
}

func place(r *rand.Rand) float64 { return math.Floor(r.Float64()*100_000) / 1000 }

// settle makes the terminals and the customers.
func (w *World) settle() {
	c := w.config
	for i := range c.Terminals {
		r := stream(c.Seed, forTerminal, i)
		w.terminals = append(w.terminals, Terminal{
			ID: i, X: place(r), Y: place(r),
			compromised: w.compromise(stream(c.Seed, forCompromisedTerminal, i), c.Frauds.TerminalRate, c.Frauds.TerminalFor),
		})
	}
	for i := range c.Customers {
		w.customers = append(w.customers, w.customer(i))
	}
}

func (w *World) customer(id int) Customer {
	r := stream(w.config.Seed, forCustomer, id)
	c := Customer{ID: id, X: place(r), Y: place(r)}
	c.Country = country(c.X, c.Y)
	bands := [...]string{"18-29", "30-44", "45-59", "60+"}
	night := [...]float64{.14, .07, .05, .02}
	band := r.IntN(len(bands))
	c.AgeBand = bands[band]
	c.Mean = uniform(r, 5, 100)
	c.Std = c.Mean / 2
	c.PaymentsPerDay = uniform(r, 0, 2*w.config.PaymentsPerDay)
	c.Weekend = uniform(r, .7, 1.5)
	c.Night = float64(night[band] * uniform(r, .3, 1.7))
	nearest, best := 0, math.Inf(1)
	for _, t := range w.terminals {
		d := distance(c.X, c.Y, t.X, t.Y)
		if d <= w.config.Radius {
			c.Terminals = append(c.Terminals, t.ID)
		}
		if d < best {
			nearest, best = t.ID, d
		}
	}
	if c.Terminals == nil {
		c.Terminals = []int{nearest}
	}
	c.compromised = w.compromise(stream(w.config.Seed, forCompromisedCustomer, id), w.config.Frauds.CustomerRate, w.config.Frauds.CustomerFor)
	return c
}

// compromise draws on which days something falls into the wrong hands, from so long before the start that day 0 is a day like any other.
func (w *World) compromise(r *rand.Rand, rate float64, length time.Duration) []span {
	var spans []span
	before := int(math.Ceil(days(length)))
	for day := -before; day < w.config.Days; day++ {
		if r.Float64() >= rate {
			continue
		}
		from := w.day(day) + int64(r.Float64()*float64(dayUS))
		spans = append(spans, span{from, from + length.Microseconds()})
	}
	return spans
}
