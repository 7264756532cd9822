package extract

import "kyrochat/kyro"

func readXLSX(path string, limits kyro.Limits, progress func(done, total int)) (kyro.Extraction, error) {
	return kyro.Extraction{}, kyro.Errorf(kyro.CodeUnsupportedType, "Excel workbooks cannot be read yet.")
}
