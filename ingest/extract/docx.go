package extract

import "kyrochat/kyro"

func readDOCX(path string, limits kyro.Limits, progress func(done, total int)) (kyro.Extraction, error) {
	return kyro.Extraction{}, kyro.Errorf(kyro.CodeUnsupportedType, "Word documents cannot be read yet.")
}
