package cli

import (
	"context"
	"errors"
	"io"
	"os"

	haechiv1 "github.com/haechi-fraud/haechi/proto/haechi/v1"
)

type modelsImportCommand struct {
	File             string            `arg:"" help:"LightGBM text model, as save_model writes it."`
	EventType        string            `required:"" placeholder:"TYPE" help:"Event type that it judges."`
	Map              map[string]string `placeholder:"COLUMN=FEATURE" help:"The model's feature COLUMN is computed by FEATURE; equal names need no entry. May be repeated."`
	ReviewThreshold  *float64          `placeholder:"RAW" help:"Raw score from which on an event goes to review."`
	DeclineThreshold *float64          `placeholder:"RAW" help:"Raw score from which on an event is declined."`
	Name             string            `placeholder:"TEXT" help:"What to call it."`
	target
	actorFlag
}

// Run sends the model; the server checks and verifies it before it is a version.
func (c *modelsImportCommand) Run(ctx context.Context, e *env) error {
	return e.use(ctx, c.target, "models import", func(cl *client) error {
		out, err := c.send(ctx, haechiv1.NewModelsClient(cl))
		if err != nil {
			return err
		}
		if e.json {
			return e.printJSON(out)
		}
		e.printf("%s is version %s of %s, verified: %s\nTo let it decide: haechi models promote %s --project %s --reason TEXT\n",
			c.File, out.Model.Version, out.Model.EventType, out.Model.Verified, short(out.Model.Version), c.Project)
		return nil
	})
}

func (c *modelsImportCommand) send(ctx context.Context, models haechiv1.ModelsClient) (_ *haechiv1.ImportModelResponse, err error) {
	f, err := os.Open(c.File)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	stream, err := models.ImportModel(ctx)
	if err != nil {
		return nil, err
	}
	err = stream.Send(&haechiv1.ImportModelRequest{Part: &haechiv1.ImportModelRequest_Header_{Header: &haechiv1.ImportModelRequest_Header{
		EventType: c.EventType, Name: c.Name, Features: c.Map, Actor: c.Actor, ReviewThreshold: c.ReviewThreshold, DeclineThreshold: c.DeclineThreshold,
	}}})
	for buffer := make([]byte, chunkBytes); err == nil; {
		var n int
		var ended error
		if n, ended = f.Read(buffer); n > 0 {
			err = stream.Send(&haechiv1.ImportModelRequest{Part: &haechiv1.ImportModelRequest_Chunk{Chunk: buffer[:n]}})
		}
		if errors.Is(ended, io.EOF) {
			break
		}
		if ended != nil {
			return nil, ended
		}
	}
	if err != nil && !errors.Is(err, io.EOF) { // EOF: the server has said why
		return nil, err
	}
	return stream.CloseAndRecv()
}
