package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/haechi-fraud/haechi/internal/simulate"
	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

// benchEvents makes payments of the world's customers, each new.
type benchEvents struct {
	world *simulate.World
	start int64 // event time of the first, microseconds since the Unix epoch
	warp  float64
	began time.Time
	n     atomic.Int64
}

func (b *benchEvents) sent() int64 { return b.n.Load() }

// clock is event time now: a millisecond an event, or with a warp as many times the clock's pace.
func (b *benchEvents) clock() int64 {
	if b.warp > 0 {
		return b.start + int64(b.warp*float64(time.Since(b.began).Microseconds()))
	}
	return b.start + 1000*b.n.Load()
}

func (b *benchEvents) next() *haechiv1.Event {
	n := b.n.Add(1)
	r := rand.New(rand.NewPCG(uint64(n), 1)) //nolint:gosec // a load, not a secret
	customer := r.IntN(len(b.world.Customers()))
	c := &b.world.Customers()[customer]
	return &haechiv1.Event{
		Type: demoEventType, Id: "bench-" + strconv.FormatInt(n, 10), Time: timestamppb.New(time.UnixMicro(b.clock())),
		Entities:   map[string]string{"customer": strconv.Itoa(customer), "terminal": strconv.Itoa(c.Terminals[r.IntN(len(c.Terminals))])},
		Amount:     &haechiv1.Money{Currency: "EUR", MinorUnits: 100 + int64(r.IntN(20000))},
		Attributes: map[string]string{"country": c.Country, "age_band": c.AgeBand},
	}
}

// drive keeps requests in flight for a while.
func drive(ctx context.Context, to haechiv1.ScoringClient, source *benchEvents, inFlight int, length time.Duration) (turn, error) {
	start := time.Now()
	end := start.Add(length)
	took := make([][]float64, inFlight)
	errs := make([]error, inFlight)
	var wg sync.WaitGroup
	for i := range inFlight {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for time.Now().Before(end) {
				ev := source.next()
				began := time.Now()
				if _, err := to.Score(ctx, &haechiv1.ScoreRequest{Event: ev}); err != nil {
					errs[i] = err
					return
				}
				took[i] = append(took[i], time.Since(began).Seconds())
			}
		}()
	}
	wg.Wait()
	elapsed := time.Since(start).Seconds()
	var all []float64
	for _, t := range took {
		all = append(all, t...)
	}
	p50, p99 := quantiles(all)
	return turn{PerSecond: float64(len(all)) / elapsed, P50: p50, P99: p99}, errors.Join(errs...)
}

// echoServer answers every Score with the same decision: grpc-go and the messages, nothing else.
type echoServer struct {
	haechiv1.UnimplementedScoringServer
	answer *haechiv1.ScoreResponse
	server *grpc.Server
	conn   *grpc.ClientConn
}

// Score implements haechiv1.ScoringServer.
func (s *echoServer) Score(context.Context, *haechiv1.ScoreRequest) (*haechiv1.ScoreResponse, error) {
	return s.answer, nil
}

func startEcho(ctx context.Context, answer *haechiv1.ScoreResponse) (*echoServer, error) {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the echo: %w", err)
	}
	s := &echoServer{answer: answer, server: grpc.NewServer()}
	haechiv1.RegisterScoringServer(s.server, s)
	go func() { _ = s.server.Serve(l) }()
	s.conn, err = grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	return s, err
}

func (s *echoServer) stop() {
	_ = s.conn.Close()
	s.server.Stop()
}
