package project

import "strings"

// minorDigits gives the decimals of a currency's minor unit by ISO 4217 (active codes), false for an unknown code.
func minorDigits(code string) (int, bool) {
	if len(code) != 3 || code != strings.ToUpper(code) {
		return 0, false
	}
	for digits, codes := range []string{
		"BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF ",
		"",
		"AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW " +
			"CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR " +
			"ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV " +
			"MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD " +
			"SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG ",
		"BHD IQD JOD KWD LYD OMR TND ",
		"CLF UYW ",
	} {
		if strings.Contains(codes, code+" ") {
			return digits, true
		}
	}
	return 0, false
}
