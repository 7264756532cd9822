package store_test

import (
	"fmt"
	"sync"
	"testing"
)

func TestAnInstallationHasOneName(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		names := map[string]int{}
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				name, err := w.Installation(t.Context(), fmt.Sprint("fresh", i))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				names[name]++
				mu.Unlock()
			})
		}
		wg.Wait()
		if len(names) != 1 {
			t.Errorf("the processes call their installation %v", names)
		}
	})
}
