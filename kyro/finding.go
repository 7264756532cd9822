package kyro

// Finding is something that is not as it should be in what is stored.
type Finding struct {
	Check    string   // what was looked at, in a word or two with dashes
	Damage   bool     // else it is worth knowing, and mends itself
	Count    int      // of how many things
	Found    string   // a sentence about it
	Examples []string // some of them, by id
	Mend     string   // a sentence: what to do, or what repairing does
	Repairs  bool     // it can be repaired without a person
	Most     int      // of them at most are repaired at once; 0: all
}

// MaxFindingExamples is how many things of a finding are named.
const MaxFindingExamples = 10

// Examples are those of a list that a finding names: the first ones.
func Examples[T any](list []T) []T { return list[:min(len(list), MaxFindingExamples)] }
