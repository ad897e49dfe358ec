package kube

import (
	"os"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
)

func TestMain(m *testing.M) {
	// The client library paces its error messages by one clock for the whole process; each bubble has its own.
	runtime.ErrorHandlers = nil
	klog.SetLogger(logr.Discard()) // as in the program
	os.Exit(m.Run())
}
