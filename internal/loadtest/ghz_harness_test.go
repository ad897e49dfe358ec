package loadtest

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// echoProto is the service of the tests: it has each of the four kinds of methods.
const echoProto = `syntax = "proto3";
package echo.v1;
message Words { string text = 1; int64 number = 2; }
service Echo {
  rpc Say(Words) returns (Words);
  rpc Gather(stream Words) returns (Words);
  rpc Count(Words) returns (stream Words);
  rpc Talk(stream Words) returns (stream Words);
}
`

// echo is a server of gRPC that remembers what it is asked, and fails as it is told.
type echo struct {
	addr string
	file protoreflect.FileDescriptor
	fail func(n int) error // of the n-th call, from 1; nil never fails

	mu       sync.Mutex
	calls    int
	texts    []string
	headers  []metadata.MD
	accepted int // connections
}

// startEcho starts one, with reflection if it is to have it.
func startEcho(t testing.TB, reflecting bool, options ...grpc.ServerOption) *echo {
	t.Helper()
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(map[string]string{"echo.proto": echoProto})}}
	files, err := compiler.Compile(t.Context(), "echo.proto")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{file: files[0]}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e.addr = listener.Addr().String()
	server := grpc.NewServer(append(options, grpc.UnknownServiceHandler(e.handle))...)
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	if reflecting {
		grpc_reflection_v1.RegisterServerReflectionServer(server, reflection.NewServerV1(reflection.ServerOptions{
			Services: services{server}, DescriptorResolver: files.AsResolver(),
		}))
	}
	go func() { _ = server.Serve(counting{listener, e}) }() // it ends with Stop
	t.Cleanup(server.Stop)
	return e
}

// services says of a server what it has, with what it answers without having it.
type services struct{ *grpc.Server }

func (s services) GetServiceInfo() map[string]grpc.ServiceInfo {
	all := s.Server.GetServiceInfo()
	all["echo.v1.Echo"] = grpc.ServiceInfo{}
	return all
}

// counting counts connections.
type counting struct {
	net.Listener
	of *echo
}

func (l counting) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.of.mu.Lock()
		l.of.accepted++
		l.of.mu.Unlock()
	}
	return conn, err
}

// handle answers every method of the service.
func (e *echo) handle(_ any, stream grpc.ServerStream) error {
	name, _ := grpc.MethodFromServerStream(stream)
	service, call, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	method := e.file.Services().Get(0).Methods().ByName(protoreflect.Name(call))
	if service != "echo.v1.Echo" || method == nil {
		return status.Error(codes.Unimplemented, name)
	}
	header, _ := metadata.FromIncomingContext(stream.Context())
	e.mu.Lock()
	e.calls++
	n := e.calls
	e.headers = append(e.headers, header)
	e.mu.Unlock()
	var last *dynamicpb.Message
	for first := true; first || method.IsStreamingClient(); first = false {
		words := dynamicpb.NewMessage(method.Input())
		if err := stream.RecvMsg(words); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		last = words
		e.mu.Lock()
		e.texts = append(e.texts, words.Get(method.Input().Fields().ByName("text")).String())
		e.mu.Unlock()
		if method.Name() == "Talk" {
			if err := stream.SendMsg(words); err != nil {
				return err
			}
		}
	}
	if e.fail != nil {
		if err := e.fail(n); err != nil {
			return err
		}
	}
	switch method.Name() {
	case "Talk":
		return nil
	case "Count": // without an end: the client has to have enough
		for {
			if err := stream.SendMsg(last); err != nil {
				return err
			}
		}
	}
	return stream.SendMsg(last)
}

// seen returns how many calls there were, and the texts of their messages.
func (e *echo) seen() (calls int, texts []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls, append([]string(nil), e.texts...)
}

// protoset returns the service as a set of file descriptors.
func (e *echo) protoset(t *testing.T) []byte {
	t.Helper()
	content, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{protodesc.ToFileDescriptorProto(e.file)}})
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// words returns a message as bytes.
func (e *echo) words(t *testing.T, json string) []byte {
	t.Helper()
	message := dynamicpb.NewMessage(e.file.Messages().Get(0))
	if err := protojson.Unmarshal([]byte(json), message); err != nil {
		t.Fatal(err)
	}
	content, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// every fails each n-th call with a code.
func every(n int, code codes.Code, text string) func(int) error {
	return func(call int) error {
		if call%n == 0 {
			return status.Error(code, text)
		}
		return nil
	}
}

// ghzOf runs a ghz that has an end of its own.
func ghzOf(t *testing.T, o Options, line string) Result {
	t.Helper()
	return mustRun(t, newTester(t, o), payload("cmd", "ghz --insecure "+line))
}

// atEcho is an Options.Address that leads everywhere to one server.
func atEcho(e *echo) func(context.Context, string) (string, error) {
	return func(context.Context, string) (string, error) { return e.addr, nil }
}
