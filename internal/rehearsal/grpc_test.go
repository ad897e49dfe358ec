package rehearsal

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Calls of gRPC go through the router as other requests do: they are split, fail as they are told to, and are counted.
func TestCallsOfGRPCAreSplitAndCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0)
	b.Route(b.routing(Split{Canary: 50}))
	conn, err := grpc.NewClient(b.server.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	call := func(ctx context.Context) error {
		return conn.Invoke(ctx, "/shop.v1.Cart/Add", &emptypb.Empty{}, &emptypb.Empty{})
	}
	b.canary.Behave(Behaviour{ErrorPercent: 100})
	failed := 0
	for range 20 {
		switch err := call(t.Context()); status.Code(err) {
		case codes.OK:
		case codes.Internal:
			failed++
		default:
			t.Fatal(err)
		}
	}
	if failed != 10 {
		t.Errorf("%d of 20 calls failed, want those of the canary", failed)
	}
	b.canary.Behave(Behaviour{})
	health, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Error(health, err)
	}
	b.mu.Lock()
	byVersion := map[Version]int{}
	for _, one := range b.observed {
		if !one.Answered || one.Code != 200 || one.Path != "/shop.v1.Cart/Add" && one.Path != "/grpc.health.v1.Health/Check" {
			t.Errorf("%+v", one)
		}
		byVersion[one.Version]++
	}
	b.mu.Unlock()
	if byVersion[Primary]+byVersion[Canary] != 21 || byVersion[Canary] < 10 {
		t.Errorf("%v", byVersion)
	}
	b.Route(Routing{})
	if err := call(t.Context()); status.Code(err) != codes.Unavailable {
		t.Errorf("%v, want that there is nobody", err)
	}
}
