package rehearsal

import (
	"net/http"
	"strings"
)

// isGRPC reports whether a request is a call of gRPC.
func isGRPC(r *http.Request) bool {
	return r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// The codes of gRPC that an app answers with.
const (
	grpcOK       = "0"
	grpcInternal = "13"
)

// writeGRPCAnswer answers a call of any method: by an empty message, which is one of every type, or by an error. The form is
// that of gRPC over HTTP/2: a byte that says whether the message is compressed, its length in four, and the code as a trailer.
func writeGRPCAnswer(w http.ResponseWriter, failed bool) {
	header := w.Header()
	header.Set("Content-Type", "application/grpc")
	if failed {
		header.Set("Grpc-Status", grpcInternal)
		header.Set("Grpc-Message", "something went wrong")
		return
	}
	header.Set("Trailer", "Grpc-Status")
	_, _ = w.Write(make([]byte, 5)) // a client that has gone away needs no answer
	header.Set("Grpc-Status", grpcOK)
}

// onlyHTTP2 is the protocol of gRPC without TLS.
func onlyHTTP2() *http.Protocols {
	p := &http.Protocols{}
	p.SetUnencryptedHTTP2(true)
	return p
}

// byProtocol sends calls of gRPC by HTTP/2, and all else by HTTP/1.
type byProtocol struct{ *Proxy }

// RoundTrip sends a request.
func (t byProtocol) RoundTrip(r *http.Request) (*http.Response, error) {
	if isGRPC(r) {
		return t.http2.RoundTrip(r)
	}
	return t.transport.RoundTrip(r)
}
