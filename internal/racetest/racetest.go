// Package racetest tells tests whether the race detector is on.
package racetest

import (
	"runtime/debug"
	"slices"
)

// On reports whether this process watches for races, which makes it ten times as slow.
func On() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// Times is how many rounds a test makes whose rounds share nothing: all, or under the race detector, which has nothing to
// find there, so many.
func Times(all, watched int) int {
	if On() {
		return watched
	}
	return all
}
