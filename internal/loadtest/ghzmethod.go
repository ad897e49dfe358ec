package loadtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/jhump/protoreflect/v2/grpcreflect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"
)

// healthCheck is the method that most servers of gRPC have. Its service is known here without a file and without reflection:
// Flagger's load tester has its file, and canaries name it where it lies there.
const healthCheck = "grpc.health.v1.Health/Check"

// finder finds a service by its full name.
type finder interface {
	FindDescriptorByName(protoreflect.FullName) (protoreflect.Descriptor, error)
}

// find returns the method that is called. Where it comes from is, in the order of ghz, the file of --proto, that of
// --protoset, or the server itself.
func (g *ghz) find(ctx context.Context, conn grpc.ClientConnInterface) (protoreflect.MethodDescriptor, error) {
	service, method := g.flags.method()
	var services finder
	var err error
	switch {
	case service == grpc_health_v1.Health_ServiceDesc.ServiceName:
		services = inFile{grpc_health_v1.File_grpc_health_v1_health_proto}
	case g.flags.proto != "":
		services, err = g.compiled(ctx)
	case g.flags.protoset != "":
		services, err = g.inSet()
	case g.options.StandIn:
		g.notes = append(g.notes, fmt.Sprintf("the messages of %s are empty: only the real server could say what they look like", g.flags.call))
		g.data = text{}
		return standIn(service, method)
	default:
		return g.reflected(ctx, conn, service, method)
	}
	if err != nil {
		return nil, err
	}
	return methodOf(services, service, method)
}

// methodOf finds a method.
func methodOf(in finder, service, method string) (protoreflect.MethodDescriptor, error) {
	found, err := in.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil, fmt.Errorf("the service %q of --call is not known: %w", service, err)
	}
	described, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		return nil, fmt.Errorf("%q of --call is no service", service)
	}
	methods := described.Methods()
	if one := methods.ByName(protoreflect.Name(method)); one != nil {
		return one, nil
	}
	names := make([]string, methods.Len())
	for i := range names {
		names[i] = string(methods.Get(i).Name())
	}
	return nil, fmt.Errorf("the service %s has no method %q: it has %s", service, method, listed(names))
}

// inFile finds the services of one file.
type inFile struct{ protoreflect.FileDescriptor }

// FindDescriptorByName finds a service of the file.
func (f inFile) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	if one := f.Services().ByName(name.Name()); one != nil && one.FullName() == name {
		return one, nil
	}
	return nil, fmt.Errorf("%s has no such service", f.Path())
}

// standIn returns a method that sends and receives nothing.
func standIn(service, method string) (protoreflect.MethodDescriptor, error) {
	empty := emptypb.File_google_protobuf_empty_proto
	name := protoreflect.FullName(service)
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("standin.proto"), Package: proto.String(string(name.Parent())), Dependency: []string{empty.Path()},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String(string(name.Name())), Method: []*descriptorpb.MethodDescriptorProto{{
			Name: &method, InputType: proto.String(".google.protobuf.Empty"), OutputType: proto.String(".google.protobuf.Empty"),
		}}}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		return nil, fmt.Errorf("--call: %w", err)
	}
	return methodOf(inFile{file}, service, method)
}

// compiled compiles the file of --proto and what it imports. As in ghz, its directory and the working directory are looked
// through for imports, before those of --import-paths.
func (g *ghz) compiled(ctx context.Context) (finder, error) {
	name, paths := g.flags.proto, []string{}
	if dir := filepath.Dir(name); dir != "." {
		paths = append(paths, dir)
	}
	paths = append(paths, ".")
	if g.flags.imports != "" {
		paths = append(paths, strings.Split(g.flags.imports, ",")...)
	}
	if filepath.IsAbs(name) {
		name = filepath.Base(name)
	}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
		ImportPaths: paths,
		Accessor:    func(path string) (io.ReadCloser, error) { return g.options.openFile(path) },
	})}
	files, err := compiler.Compile(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("compile the file of --proto: %w", err)
	}
	return files.AsResolver(), nil
}

// inSet reads the file of --protoset.
func (g *ghz) inSet() (finder, error) {
	content, err := g.options.readFile(g.flags.protoset)
	if err != nil {
		return nil, fmt.Errorf("read the file of --protoset: %w", err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(content, set); err != nil {
		return nil, fmt.Errorf("the file %q of --protoset is no set of file descriptors: %w", g.flags.protoset, err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, fmt.Errorf("the file %q of --protoset: %w", g.flags.protoset, err)
	}
	return files, nil
}

// reflected asks the server what its method looks like.
func (g *ghz) reflected(ctx context.Context, conn grpc.ClientConnInterface, service, method string) (protoreflect.MethodDescriptor, error) {
	ctx, cancel := context.WithTimeout(ctx, g.connectTime())
	defer cancel()
	if len(g.reflectMetadata) > 0 {
		ctx = metadata.NewOutgoingContext(ctx, metadata.New(g.reflectMetadata))
	}
	client := grpcreflect.NewClientAuto(ctx, conn)
	defer client.Reset()
	file, err := client.FileContainingSymbol(protoreflect.FullName(service))
	switch {
	case err == nil:
		return methodOf(inFile{file}, service, method)
	case status.Code(err) == codes.Unimplemented:
		return nil, errors.New("the server has no reflection: give a file by --proto or --protoset, or call " + healthCheck)
	case grpcreflect.IsElementNotFoundError(err):
		return nil, fmt.Errorf("the server does not know the service %q of --call%s", service, known(client))
	}
	return nil, fmt.Errorf("ask the server for the service %q of --call: %w", service, err)
}

// known says which services a server has.
func known(client *grpcreflect.Client) string {
	names, err := client.ListServices()
	if err != nil || len(names) == 0 {
		return ""
	}
	var all []string
	for _, name := range names[:min(len(names), mostErrors)] {
		all = append(all, string(name))
	}
	slices.Sort(all)
	return ": it has " + strings.Join(all, ", ")
}
