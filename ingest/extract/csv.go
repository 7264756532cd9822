package extract

import "kyrochat/kyro"

func readCSV(text string, limits kyro.Limits) (kyro.Extraction, error) {
	return kyro.Extraction{}, kyro.Errorf(kyro.CodeUnsupportedType, "CSV files cannot be read yet.")
}
