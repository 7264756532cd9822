package fetch_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails where goroutines are left when all tests are over: each has an owner that ends it. Go's resolver asks a
// name server that is silent until its own time is over, although nobody waits for the answer any more.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net.(*Resolver).lookupIPAddr.func1"), goleak.IgnoreAnyFunction("net.(*Resolver).lookupIPAddr.func2"),
		goleak.IgnoreAnyFunction("net.(*Resolver).goLookupIPCNAMEOrder.func3.1"))
}
