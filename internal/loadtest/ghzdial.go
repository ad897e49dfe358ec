package loadtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // for --enable-compression, and for answers that are compressed
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"k8s.io/apimachinery/pkg/api/resource"
)

// mostMessage is how many bytes an answer may have, unless --max-recv-message-size says otherwise: ghz takes whatever comes,
// and a server that sends gigabytes would end the process that load is only a part of.
const mostMessage = 64 << 20

// dial opens the connections of the load. Nothing is sent before the first call.
func (g *ghz) dial(ctx context.Context) ([]*grpc.ClientConn, error) {
	options, err := g.dialOptions()
	if err != nil {
		return nil, err
	}
	target := "dns:///" + g.host
	if g.options.Address != nil {
		at, err := g.options.Address(ctx, g.host)
		if err != nil {
			return nil, fmt.Errorf("reach %s: %w", g.host, err)
		}
		target = "passthrough:///" + g.host // the name in :authority and in TLS stays
		options = append(options, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", at)
		}))
	}
	conns := make([]*grpc.ClientConn, 0, g.flags.connections)
	for range g.flags.connections {
		conn, err := grpc.NewClient(target, options...)
		if err != nil {
			closeAll(conns)
			return nil, fmt.Errorf("connect to %s: %w", g.host, err)
		}
		conns = append(conns, conn)
	}
	return conns, nil
}

func closeAll(conns []*grpc.ClientConn) {
	for _, one := range conns {
		_ = one.Close() // it says at most that it was closed
	}
}

func (g *ghz) dialOptions() ([]grpc.DialOption, error) {
	f := g.flags
	secured := insecure.NewCredentials()
	if !f.insecure && !g.options.StandIn {
		config, err := g.tls()
		if err != nil {
			return nil, err
		}
		secured = credentials.NewTLS(config)
	}
	received, _ := messageSize(f.mostReceived) // they were checked
	sent, _ := messageSize(f.mostSent)
	if received == 0 {
		received = mostMessage
	}
	if sent == 0 {
		sent = math.MaxInt32
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(secured), grpc.WithUserAgent("ghz"), grpc.WithStatsHandler(watcher{}), grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(received), grpc.MaxCallSendMsgSize(sent)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: g.connectTime()}),
	}
	if f.authority != "" {
		options = append(options, grpc.WithAuthority(f.authority))
	}
	if f.keepalive > 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: f.keepalive, Timeout: f.keepalive}))
	}
	if f.balance != "" {
		options = append(options, grpc.WithDefaultServiceConfig(fmt.Sprintf(`{"loadBalancingConfig":[{%q:{}}]}`, f.balance)))
	}
	return options, nil
}

// connectTime is how long a connection may take.
func (g *ghz) connectTime() time.Duration {
	if g.flags.connect == 0 {
		return mostSpan
	}
	return g.flags.connect
}

// tls reads what the connections are secured with. The version is that of Go's clients.
func (g *ghz) tls() (*tls.Config, error) {
	f := g.flags
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.cname, InsecureSkipVerify: f.skipTLS} //nolint:gosec // --skipTLS says so
	if f.cacert != "" {
		content, err := g.options.readFile(f.cacert)
		if err != nil {
			return nil, fmt.Errorf("read the file of --cacert: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("the file %q of --cacert has no certificate: allowed is PEM", f.cacert)
		}
	}
	if f.cert != "" {
		cert, err := g.options.readFile(f.cert)
		if err != nil {
			return nil, fmt.Errorf("read the file of --cert: %w", err)
		}
		key, err := g.options.readFile(f.key)
		if err != nil {
			return nil, fmt.Errorf("read the file of --key: %w", err)
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("--cert and --key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// messageSize reads a size like 4MB or 512KiB, as ghz does; nothing is 0.
func messageSize(text string) (bytes int, err error) {
	if text == "" {
		return 0, nil
	}
	size := strings.ReplaceAll(strings.ToUpper(text), " ", "")
	size = strings.TrimSuffix(size, "B")
	for _, unit := range [...]struct{ from, to string }{{"KI", "Ki"}, {"MI", "Mi"}, {"GI", "Gi"}, {"K", "k"}} {
		if number, found := strings.CutSuffix(size, unit.from); found {
			size = number + unit.to
			break
		}
	}
	quantity, err := resource.ParseQuantity(size)
	if err != nil {
		return 0, err
	}
	if n := quantity.Value(); n > 0 && n <= 1<<30 {
		return int(n), nil
	}
	return 0, fmt.Errorf("%s is out of range", text)
}

// rawCodec is the codec of messages that are bytes already, which those of a load without templates are made to once. What is
// answered is not looked at.
type rawCodec struct{}

var _ encoding.CodecV2 = rawCodec{}

// Marshal hands the bytes of a message on.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if message, ok := v.([]byte); ok {
		return mem.BufferSlice{mem.SliceBuffer(message)}, nil
	}
	return encoding.GetCodecV2("proto").Marshal(v)
}

// Unmarshal drops an answer of the load. What reflection is answered with is a message.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if _, ignored := v.(*dropped); ignored {
		return nil
	}
	return encoding.GetCodecV2("proto").Unmarshal(data, v)
}

// Name is what the content type of requests ends with.
func (rawCodec) Name() string { return "proto" }

// dropped is an answer that nobody looks at.
type dropped struct{}
