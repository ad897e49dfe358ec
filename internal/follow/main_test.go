package follow_test

import (
	"os"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
)

func TestMain(m *testing.M) {
	runtime.ErrorHandlers = nil // the client library paces its messages by one clock for the whole process
	klog.SetLogger(logr.Discard())
	os.Exit(m.Run())
}
