package evaluate

import (
	"fmt"
	"math"
)

// Decision is what was done with an event.
type Decision uint8

// The decisions, from the mildest to the strictest.
const (
	Approve Decision = iota
	Review
	Challenge
	Decline
)

// String gives the decision's name.
func (d Decision) String() string {
	switch d {
	case Approve:
		return "approve"
	case Review:
		return "review"
	case Challenge:
		return "challenge"
	case Decline:
		return "decline"
	}
	return fmt.Sprintf("decision(%d)", uint8(d))
}

// Costs are declared, not estimated; all in major units of the event type's currency, none negative.
type Costs struct {
	MissedFraud  *float64 `json:"missed_fraud,omitempty"` // of an approved fraud; nil: its own amount
	FalseDecline float64  `json:"false_decline"`          // of a declined legitimate event
	Review       float64  `json:"review"`                 // of any reviewed event; a reviewed fraud costs nothing more
	Challenge    float64  `json:"challenge,omitempty"`    // of any challenged event; a challenged fraud costs nothing more
}

func (c Costs) check() error {
	for _, v := range []float64{c.FalseDecline, c.Review, c.Challenge, c.missed(0)} {
		if !(v >= 0) || math.IsInf(v, 0) {
			return fmt.Errorf("evaluate: %w: a declared cost of %v; costs are finite and not negative", ErrRange, v)
		}
	}
	return nil
}

func (c Costs) missed(amount float64) float64 {
	if c.MissedFraud != nil {
		return *c.MissedFraud
	}
	return amount
}

// Cost is what decisions cost, in the unit of the declared costs.
type Cost struct {
	PerTransaction float64 `json:"per_transaction"` // Total / Transactions
	Total          float64 `json:"total"`
	MissedFraud    float64 `json:"missed_fraud"`
	FalseDecline   float64 `json:"false_decline"`
	Review         float64 `json:"review"`
	Challenge      float64 `json:"challenge,omitempty"`
	ApproveAll     float64 `json:"approve_all_per_transaction"` // what approving everything costs per transaction
	Transactions   int     `json:"transactions"`
}

// CostPerTransaction adds up what the decisions cost:
//
//	approve: the missed fraud (its amount, or the declared sum) when it is one, else nothing
//	review, challenge: their own cost, whatever the event was
//	decline: the false decline when it was legitimate, else nothing
//
// divided by the number of events. amount is in major units and may be nil when MissedFraud is declared.
// Domain: declared costs finite and >= 0. It needs no second class: a day without fraud has a cost too.
//
// Source: Bahnsen et al., Cost sensitive credit card fraud detection using Bayes minimum risk, ICMLA 2013, table 2, with
// review and challenge as further columns.
func CostPerTransaction(fraud []bool, amount []float64, decision []Decision, costs Costs) (Cost, error) {
	if err := lengths(len(fraud), "decisions", len(decision)); err != nil {
		return Cost{}, err
	}
	if err := costed(fraud, amount, costs); err != nil {
		return Cost{}, err
	}
	c := Cost{Transactions: len(fraud)}
	for i, d := range decision {
		lost := missedAt(i, fraud, amount, costs)
		c.ApproveAll += lost
		switch d {
		case Approve:
			c.MissedFraud += lost
		case Review:
			c.Review += costs.Review
		case Challenge:
			c.Challenge += costs.Challenge
		case Decline:
			if !fraud[i] {
				c.FalseDecline += costs.FalseDecline
			}
		default:
			return Cost{}, fmt.Errorf("evaluate: %w: event %d has %v", ErrRange, i, d)
		}
	}
	c.Total = c.MissedFraud + c.FalseDecline + c.Review + c.Challenge
	c.PerTransaction = c.Total / float64(len(fraud))
	c.ApproveAll /= float64(len(fraud))
	return c, nil
}

// costed checks declared costs, and amounts where they are needed.
func costed(fraud []bool, amount []float64, costs Costs) error {
	if err := costs.check(); err != nil {
		return err
	}
	if amount == nil && costs.MissedFraud != nil {
		return nil
	}
	return amounts(fraud, amount)
}

// missedAt is what approving event i loses.
func missedAt(i int, fraud []bool, amount []float64, costs Costs) float64 {
	switch {
	case !fraud[i]:
		return 0
	case amount == nil:
		return costs.missed(0)
	}
	return costs.missed(amount[i])
}

// AmountRecall is the share of the frauds' money that was in alerted events:
//
//	sum of amounts of alerted frauds / sum of amounts of frauds
//
// Domain: amounts finite, not negative on frauds, and not all zero there. Range [0,1]; no unit, as amounts cancel.
//
// Source: value detection rate as used by card issuers; recall weighted by amount.
func AmountRecall(fraud, alerted []bool, amount []float64) (float64, error) {
	if err := lengths(len(fraud), "alerts", len(alerted)); err != nil {
		return 0, err
	}
	if err := amounts(fraud, amount); err != nil {
		return 0, err
	}
	caught, all := 0.0, 0.0
	for i, v := range amount {
		if !fraud[i] {
			continue
		}
		all += v
		if alerted[i] {
			caught += v
		}
	}
	if all == 0 {
		return 0, fmt.Errorf("evaluate: %w: the frauds have no amount", ErrOneClass)
	}
	return caught / all, nil
}

// Decide turns raw scores into decisions by two thresholds, either of which may be absent: at or above decline, else at
// or above review, else approve.
func Decide(score []float64, review, decline *float64) []Decision {
	decisions := make([]Decision, len(score))
	for i, s := range score {
		switch {
		case decline != nil && s >= *decline:
			decisions[i] = Decline
		case review != nil && s >= *review:
			decisions[i] = Review
		}
	}
	return decisions
}
