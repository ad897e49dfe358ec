package loadtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// caller makes the calls of a load.
type caller struct {
	ghz      *ghz
	method   protoreflect.MethodDescriptor
	path     string
	messages *messages
	options  []grpc.CallOption
	fixed    metadata.MD // of a load whose calls have the same
	figures  *figures
}

// caller prepares the calls, and finds what is wrong with what they are to send.
func (g *ghz) caller(method protoreflect.MethodDescriptor, of *figures) (*caller, error) {
	data, err := g.messages(method)
	if err != nil {
		return nil, err
	}
	header, err := g.header(callData(method, "", 0))
	if err != nil {
		return nil, err
	}
	c := &caller{
		ghz: g, method: method, messages: data, figures: of,
		path: fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name()),
	}
	if g.metadata.template == nil {
		c.fixed = header
	}
	if g.flags.compress {
		c.options = append(c.options, grpc.UseCompressor(gzip.Name))
	}
	return c, nil
}

// told is what the transport tells of a call.
type told struct {
	answered atomic.Bool // the server has said something, if it was only that it failed
	bytes    atomic.Int64
}

type toldKey struct{}

// watcher looks at calls.
type watcher struct{}

var _ stats.Handler = watcher{}

// TagRPC changes nothing: whoever makes a call has put into its context what is told to.
func (watcher) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC notes that there was an answer.
func (watcher) HandleRPC(ctx context.Context, event stats.RPCStats) {
	of, ours := ctx.Value(toldKey{}).(*told)
	if !ours {
		return
	}
	switch event := event.(type) {
	case *stats.InHeader, *stats.InTrailer:
		of.answered.Store(true)
	case *stats.InPayload:
		of.bytes.Add(int64(event.Length))
	}
}

// TagConn changes nothing.
func (watcher) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn needs to know nothing.
func (watcher) HandleConn(context.Context, stats.ConnStats) {}

// breather is how long a worker waits after a call that never left: it would else fail as often as it can be called, and tell
// nothing but how fast this machine is.
const breather = 10 * time.Millisecond

// call makes one call and notes what has become of it.
func (c *caller) call(ctx context.Context, conn *grpc.ClientConn, worker string, number int64) {
	data := &CallData{WorkerID: worker, RequestNumber: number}
	if c.fixed == nil || c.messages.fixed == nil { // there are templates, which alone look at the rest
		data = callData(c.method, worker, number)
	}
	of := &told{}
	began := time.Now()
	err := c.make(context.WithValue(ctx, toldKey{}, of), conn, data)
	took := time.Since(began)
	if ctx.Err() != nil && err != nil {
		return // broken off because the load was over: no server is to blame for it
	}
	c.figures.called(err, of, took)
	if err != nil && !of.answered.Load() && took < breather {
		_ = sleep(ctx, breather) // whose end is seen by whoever made the call
	}
}

// make makes a call.
func (c *caller) make(ctx context.Context, conn *grpc.ClientConn, data *CallData) error {
	header, err := c.fixed, error(nil)
	if header == nil {
		if header, err = c.ghz.header(data); err != nil {
			return err
		}
	}
	sent, err := c.messages.of(data)
	if err != nil {
		return err
	}
	if t := c.ghz.flags.timeout; t > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t)
		defer cancel()
	}
	if len(header) > 0 {
		ctx = metadata.NewOutgoingContext(ctx, header)
	}
	if c.method.IsStreamingClient() || c.method.IsStreamingServer() {
		return c.stream(ctx, conn, data, sent)
	}
	return conn.Invoke(ctx, c.path, sent[0], &dropped{}, c.options...)
}

// errClosed is what ends a stream that was to be no longer.
var errClosed = errors.New("the stream has had its time")

// stream makes a call that streams. What ends it after a time, or a number of messages, is no failure of the server.
func (c *caller) stream(ctx context.Context, conn *grpc.ClientConn, data *CallData, sent [][]byte) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{
		ServerStreams: c.method.IsStreamingServer(), ClientStreams: c.method.IsStreamingClient(),
	}, c.path, c.options...)
	if err != nil {
		return err
	}
	open := ctx // until the client is to close its side
	switch d := c.ghz.flags.streamDuration; {
	case d <= 0:
	case c.method.IsStreamingClient():
		var stop context.CancelFunc
		open, stop = context.WithTimeout(ctx, d)
		defer stop()
	default: // it closes its side at once, and the stream is to end
		timer := time.AfterFunc(d, func() { cancel(errClosed) })
		defer timer.Stop()
	}
	sending := make(chan error, 1)
	go func() {
		failed := c.send(open, stream, data, sent)
		if failed != nil && !errors.Is(failed, io.EOF) { // of which what is received says why
			cancel(failed)
		}
		sending <- failed
	}()
	err = c.receive(stream, cancel)
	closed := errors.Is(context.Cause(ctx), errClosed)
	cancel(nil) // a server may have ended the stream before all was sent
	if failed := <-sending; failed != nil && !errors.Is(failed, io.EOF) && !errors.Is(failed, context.Canceled) {
		return failed
	}
	if closed {
		return nil
	}
	return err
}

// receive reads a stream to its end, or to the number of messages after which a stream of the server is to end.
func (c *caller) receive(stream grpc.ClientStream, cancel context.CancelCauseFunc) error {
	for n := uint(1); ; n++ {
		err := stream.RecvMsg(&dropped{})
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case !c.method.IsStreamingServer():
			return nil
		case !c.method.IsStreamingClient() && n == c.ghz.flags.streamCount:
			cancel(errClosed)
			return nil
		}
	}
}

// send sends messages, with the interval of --stream-interval between them, and closes its side: after all of them, after as
// many as --stream-call-count, from the first again where they are fewer, or when the context is over.
func (c *caller) send(open context.Context, stream grpc.ClientStream, data *CallData, sent [][]byte) error {
	f := c.ghz.flags
	count := uint(len(sent))
	if f.streamCount > 0 && c.method.IsStreamingClient() {
		count = f.streamCount
	}
	for n := range count {
		if n > 0 && f.streamInterval > 0 {
			_ = sleep(open, f.streamInterval)
		}
		if open.Err() != nil {
			break // what was sent until now is all of it
		}
		if f.dynamic && n > 0 && c.messages.fixed == nil {
			var err error
			if sent, err = c.messages.of(callData(c.method, data.WorkerID, data.RequestNumber)); err != nil {
				return err
			}
		}
		if err := stream.SendMsg(sent[int(n)%len(sent)]); err != nil {
			return err // that the server has ended the stream is told by what is received
		}
	}
	return stream.CloseSend()
}
