package pinecone

import (
	"google.golang.org/protobuf/types/known/structpb"
)

// test is a compiled filter. Metadata may be nil.
type test = func(metadata *structpb.Struct) bool

// compile reads a filter of the documented language: $eq $ne $gt $gte $lt $lte $in $nin $exists on fields, $and and $or
// around them. No filter matches everything.
func compile(filter *structpb.Struct) (test, error) {
	var all []test
	for name, value := range filter.GetFields() {
		one, err := compileField(name, value)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return every(all), nil
}

func compileField(name string, value *structpb.Value) (test, error) {
	switch name {
	case "$and", "$or":
		var parts []test
		for _, part := range value.GetListValue().GetValues() {
			if part.GetStructValue() == nil {
				return nil, invalid("%s takes a list of filters", name)
			}
			one, err := compile(part.GetStructValue())
			if err != nil {
				return nil, err
			}
			parts = append(parts, one)
		}
		if len(parts) == 0 {
			return nil, invalid("%s takes a list of filters", name)
		}
		if name == "$and" {
			return every(parts), nil
		}
		return some(parts), nil
	}
	operators := value.GetStructValue()
	if operators == nil { // {"genre": "comedy"}
		return compileOperator(name, "$eq", value)
	}
	var all []test
	for operator, operand := range operators.GetFields() {
		one, err := compileOperator(name, operator, operand)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return every(all), nil
}

func compileOperator(field, operator string, operand *structpb.Value) (test, error) {
	of := func(m *structpb.Struct) *structpb.Value { return m.GetFields()[field] }
	switch operator {
	case "$eq":
		return func(m *structpb.Struct) bool { return holds(of(m), operand) }, nil
	case "$ne":
		return func(m *structpb.Struct) bool { return !holds(of(m), operand) }, nil
	case "$exists":
		return func(m *structpb.Struct) bool { return (of(m) != nil) == operand.GetBoolValue() }, nil
	case "$in", "$nin":
		list := operand.GetListValue()
		if list == nil {
			return nil, invalid("%s takes a list", operator)
		}
		return func(m *structpb.Struct) bool {
			for _, one := range list.GetValues() {
				if holds(of(m), one) {
					return operator == "$in"
				}
			}
			return operator == "$nin"
		}, nil
	case "$gt", "$gte", "$lt", "$lte":
		if _, ok := operand.GetKind().(*structpb.Value_NumberValue); !ok {
			return nil, invalid("%s takes a number", operator)
		}
		than := operand.GetNumberValue()
		return func(m *structpb.Struct) bool {
			v, ok := of(m).GetKind().(*structpb.Value_NumberValue)
			return ok && compares(v.NumberValue, operator, than)
		}, nil
	}
	return nil, invalid("%s is not a valid operator", operator)
}

func compares(v float64, operator string, than float64) bool {
	switch operator {
	case "$gt":
		return v > than
	case "$gte":
		return v >= than
	case "$lt":
		return v < than
	}
	return v <= than
}

// holds reports that the value is the other, or a list with it.
func holds(v, other *structpb.Value) bool {
	if v == nil {
		return false
	}
	for _, one := range v.GetListValue().GetValues() {
		if holds(one, other) {
			return true
		}
	}
	switch k := other.GetKind().(type) {
	case *structpb.Value_StringValue:
		s, ok := v.GetKind().(*structpb.Value_StringValue)
		return ok && s.StringValue == k.StringValue
	case *structpb.Value_NumberValue:
		n, ok := v.GetKind().(*structpb.Value_NumberValue)
		return ok && n.NumberValue == k.NumberValue
	case *structpb.Value_BoolValue:
		b, ok := v.GetKind().(*structpb.Value_BoolValue)
		return ok && b.BoolValue == k.BoolValue
	}
	return false
}

func every(tests []test) test {
	return func(m *structpb.Struct) bool {
		for _, fits := range tests {
			if !fits(m) {
				return false
			}
		}
		return true
	}
}

func some(tests []test) test {
	return func(m *structpb.Struct) bool {
		for _, fits := range tests {
			if fits(m) {
				return true
			}
		}
		return false
	}
}
