//! States by two letters, as certificates name them, and by up to three, as documents do.

use std::fmt;

/// A country by the two letters of ISO 3166-1, or what ICAO 9303-3, section 5 and 9303-12, 7.1 have
/// for what is none: "UN", "EU".
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// Returns the country of two letters, large or small.
    pub fn new(text: &str) -> Option<Country> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        let letters = letters.map(|letter| letter.to_ascii_uppercase());
        letters.iter().all(u8::is_ascii_uppercase).then_some(Country(letters))
    }

    /// Returns the two letters.
    pub fn letters(self) -> [u8; 2] {
        self.0
    }

    /// Returns the country whose certificates sign the documents of an issuing state: "VN" for
    /// "VNM". Fillers behind the code are left out.
    ///
    /// Certificates hold two letters and machine-readable zones up to three, which do not always
    /// begin alike.
    pub fn of_issuing_state(code: &str) -> Option<Country> {
        let code = code.trim_end_matches('<');
        let special = SPECIAL.iter().find(|(special, _)| *special == code).map(|(_, two)| *two);
        let two = special.or_else(|| {
            ISO_3166.split(' ').find_map(|row| row.strip_prefix(code).filter(|two| two.len() == 2))
        })?;
        Country::new(two)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", char::from(self.0[0]), char::from(self.0[1]))
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Country({self})")
    }
}

/// Codes of ICAO 9303-3, section 5 that are not those of ISO 3166-1; UTO is the invented state.
///
/// Assumes: RKS, which 9303 does not have, signs as "KS".
const SPECIAL: [(&str, &str); 11] = [
    ("D", "DE"),
    ("EUE", "EU"),
    ("UNO", "UN"),
    ("UNA", "UN"),
    ("RKS", "KS"),
    ("GBD", "GB"),
    ("GBN", "GB"),
    ("GBO", "GB"),
    ("GBP", "GB"),
    ("GBS", "GB"),
    ("UTO", "UT"),
];

/// ISO 3166-1: three letters, then two.
const ISO_3166: &str = "ABWAW AFGAF AGOAO AIAAI ALAAX ALBAL ANDAD AREAE ARGAR ARMAM ASMAS ATAAQ ATFTF ATGAG \
     AUSAU AUTAT AZEAZ BDIBI BELBE BENBJ BESBQ BFABF BGDBD BGRBG BHRBH BHSBS BIHBA BLMBL \
     BLRBY BLZBZ BMUBM BOLBO BRABR BRBBB BRNBN BTNBT BVTBV BWABW CAFCF CANCA CCKCC CHECH \
     CHLCL CHNCN CIVCI CMRCM CODCD COGCG COKCK COLCO COMKM CPVCV CRICR CUBCU CUWCW CXRCX \
     CYMKY CYPCY CZECZ DEUDE DJIDJ DMADM DNKDK DOMDO DZADZ ECUEC EGYEG ERIER ESHEH ESPES \
     ESTEE ETHET FINFI FJIFJ FLKFK FRAFR FROFO FSMFM GABGA GBRGB GEOGE GGYGG GHAGH GIBGI \
     GINGN GLPGP GMBGM GNBGW GNQGQ GRCGR GRDGD GRLGL GTMGT GUFGF GUMGU GUYGY HKGHK HMDHM \
     HNDHN HRVHR HTIHT HUNHU IDNID IMNIM INDIN IOTIO IRLIE IRNIR IRQIQ ISLIS ISRIL ITAIT \
     JAMJM JEYJE JORJO JPNJP KAZKZ KENKE KGZKG KHMKH KIRKI KNAKN KORKR KWTKW LAOLA LBNLB \
     LBRLR LBYLY LCALC LIELI LKALK LSOLS LTULT LUXLU LVALV MACMO MAFMF MARMA MCOMC MDAMD \
     MDGMG MDVMV MEXMX MHLMH MKDMK MLIML MLTMT MMRMM MNEME MNGMN MNPMP MOZMZ MRTMR MSRMS \
     MTQMQ MUSMU MWIMW MYSMY MYTYT NAMNA NCLNC NERNE NFKNF NGANG NICNI NIUNU NLDNL NORNO \
     NPLNP NRUNR NZLNZ OMNOM PAKPK PANPA PCNPN PERPE PHLPH PLWPW PNGPG POLPL PRIPR PRKKP \
     PRTPT PRYPY PSEPS PYFPF QATQA REURE ROURO RUSRU RWARW SAUSA SDNSD SENSN SGPSG SGSGS \
     SHNSH SJMSJ SLBSB SLESL SLVSV SMRSM SOMSO SPMPM SRBRS SSDSS STPST SURSR SVKSK SVNSI \
     SWESE SWZSZ SXMSX SYCSC SYRSY TCATC TCDTD TGOTG THATH TJKTJ TKLTK TKMTM TLSTL TONTO \
     TTOTT TUNTN TURTR TUVTV TWNTW TZATZ UGAUG UKRUA UMIUM URYUY USAUS UZBUZ VATVA VCTVC \
     VENVE VGBVG VIRVI VNMVN VUTVU WLFWF WSMWS YEMYE ZAFZA ZMBZM ZWEZW";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuing_state_has_the_country_of_its_certificates() {
        for (code, two) in [
            ("VNM", Some("VN")),
            ("D<<", Some("DE")),
            ("D", Some("DE")),
            ("CHE", Some("CH")),
            ("UKR", Some("UA")),
            ("ZWE", Some("ZW")),
            ("ABW", Some("AW")),
            ("UNO", Some("UN")),
            ("UTO", Some("UT")),
            ("", None),
            ("V", None),
            ("VN", None),
            ("vnm", None),
            ("VNMVN", None),
            ("XXX", None),
        ] {
            assert_eq!(Country::of_issuing_state(code), two.and_then(Country::new), "{code}");
        }
        let rows: Vec<&str> = ISO_3166.split(' ').collect();
        assert_eq!(rows.len(), 249);
        assert!(rows.is_sorted() && rows.iter().all(|row| row.len() == 5));
    }

    #[test]
    fn country_is_two_letters_large_or_small() {
        assert_eq!(Country::new("vn"), Country::new("VN"));
        assert_eq!(Country::new("vn").map(|country| country.to_string()).as_deref(), Some("VN"));
        for wrong in ["", "V", "VNM", "V1", "é"] {
            assert_eq!(Country::new(wrong), None, "{wrong}");
        }
    }
}
