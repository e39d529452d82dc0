/** One whole file of each format, as a bank would write it, with every field that is read. */

/** The account that the samples of CAMT and MT940 tell of. */
export const sampleAccount = {
  id: 'DE89370400440532013000',
  iban: 'DE89370400440532013000',
  bankId: null,
  currency: 'EUR',
};

export const camtSample = `<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">
  <BkToCstmrStmt>
    <GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-03-06T01:00:00+01:00</CreDtTm></GrpHdr>
    <Stmt>
      <Id>S-2026-44</Id>
      <CreDtTm>2026-03-06T01:00:00+01:00</CreDtTm>
      <Acct><Id><IBAN>DE89370400440532013000</IBAN></Id><Ccy>EUR</Ccy></Acct>
      <Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">100.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Dt><Dt>2026-03-04</Dt></Dt></Bal>
      <Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">387.50</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-03-05</Dt></Dt></Bal>
      <Bal><Tp><CdOrPrtry><Cd>CLAV</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1387.50</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-03-05</Dt></Dt></Bal>
      <Ntry>
        <NtryRef>1</NtryRef>
        <Amt Ccy="EUR">499.00</Amt>
        <CdtDbtInd>CRDT</CdtDbtInd>
        <Sts><Cd>BOOK</Cd></Sts>
        <BookgDt><Dt>2026-03-05</Dt></BookgDt>
        <ValDt><Dt>2026-03-06</Dt></ValDt>
        <AcctSvcrRef>2026030500017</AcctSvcrRef>
        <NtryDtls><TxDtls>
          <Refs><EndToEndId>NOTPROVIDED</EndToEndId><TxId>TX-77</TxId></Refs>
          <Amt Ccy="EUR">499.00</Amt>
          <RltdPties>
            <Dbtr><Pty><Nm>Müller &amp; Söhne</Nm></Pty></Dbtr>
            <DbtrAcct><Id><IBAN>NL91ABNA0417164300</IBAN></Id></DbtrAcct>
          </RltdPties>
          <RmtInf><Ustrd>Rechnung ADV48213075</Ustrd><Ustrd>vielen Dank</Ustrd><Strd><CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf></Strd></RmtInf>
          <RltdDts><AccptncDtTm>2026-03-04T18:00:00</AccptncDtTm></RltdDts>
        </TxDtls></NtryDtls>
        <AddtlNtryInf>SEPA GUTSCHRIFT</AddtlNtryInf>
      </Ntry>
      <Ntry>
        <Amt Ccy="EUR">11.50</Amt>
        <CdtDbtInd>DBIT</CdtDbtInd>
        <Sts><Cd>BOOK</Cd></Sts>
        <BookgDt><DtTm>2026-03-05T23:59:59+01:00</DtTm></BookgDt>
        <AddtlNtryInf>Entgelt</AddtlNtryInf>
      </Ntry>
    </Stmt>
  </BkToCstmrStmt>
</Document>
`;

export const ofxSample = `OFXHEADER:100
DATA:OFXSGML
VERSION:102
SECURITY:NONE
ENCODING:USASCII
CHARSET:1252
COMPRESSION:NONE
OLDFILEUID:NONE
NEWFILEUID:NONE

<OFX>
<SIGNONMSGSRSV1><SONRS><STATUS><CODE>0<SEVERITY>INFO</STATUS><DTSERVER>20260306<LANGUAGE>ENG</SONRS></SIGNONMSGSRSV1>
<BANKMSGSRSV1><STMTTRNRS><TRNUID>1<STATUS><CODE>0<SEVERITY>INFO</STATUS>
<STMTRS>
<CURDEF>USD
<BANKACCTFROM><BANKID>021000021<ACCTID>123456789<ACCTTYPE>CHECKING</BANKACCTFROM>
<BANKTRANLIST>
<DTSTART>20260301<DTEND>20260306
<STMTTRN>
<TRNTYPE>CREDIT
<DTPOSTED>20260305120000.000[-5:EST]
<DTUSER>20260304
<TRNAMT>499.00
<FITID>202603050001
<NAME>ACME CORP
<MEMO>WIRE ADV48213075 A&amp;B
</STMTTRN>
<STMTTRN>
<TRNTYPE>CREDIT
<DTPOSTED>20260305
<TRNAMT>-1,234.50
<FITID>202603050002
<CHECKNUM>1044
<NAME>RENT
</STMTTRN>
</BANKTRANLIST>
<LEDGERBAL><BALAMT>-12.34<DTASOF>20260306</LEDGERBAL>
<AVAILBAL><BALAMT>100.00<DTASOF>20260306</AVAILBAL>
</STMTRS></STMTTRNRS></BANKMSGSRSV1>
<CREDITCARDMSGSRSV1><CCSTMTTRNRS><TRNUID>2
<CCSTMTRS>
<CURDEF>USD
<CCACCTFROM><ACCTID>4111000011112222</CCACCTFROM>
<BANKTRANLIST>
<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20260302<TRNAMT>-3.99<FITID>CC-0000001<NAME>COFFEE</STMTTRN>
</BANKTRANLIST>
</CCSTMTRS></CCSTMTTRNRS></CREDITCARDMSGSRSV1>
</OFX>
`;

export const mt940Sample = `{1:F01COBADEFFXXXX0000000000}{2:I940COBADEFFXXXXN}{4:
:20:STARTUMS
:25:DE89370400440532013000
:28C:00044/001
:60F:D260304EUR100,00
:61:2603060305CR499,00NTRFNONREF//2026030500017
/OCMT/EUR499,00/
:86:166?00GUTSCHRIFT?109251?20EREF+NOTPROVIDEDSVWZ+Rechnu?21ng ADV48213075 vielen Dank?30COBADEFF?31NL91ABNA0417164300?32Mueller und Soehne
:61:2603050305DR11,5NCHGNONREF
:86:Entgelt
:62F:C260305EUR387,50
:64:C260305EUR1387,50
-}
`;

export const csvSample = `Kontoauszug;Acme GmbH
Zeitraum;01.03.2026 - 06.03.2026

Buchungstag;Betrag;Verwendungszweck;Name;IBAN
05.03.2026;1.499,00;"Rechnung ADV48213075
vielen Dank";Müller;NL91ABNA0417164300
05.03.2026;-11,50;Entgelt;;
05.03.2026;-11,50;Entgelt;;
`;

export const csvSampleMapping = {
  columns: {
    date: 'Buchungstag',
    amount: { kind: 'signed', column: 'Betrag' },
    texts: ['Verwendungszweck'],
    payerName: 'Name',
    payerAccount: 'IBAN',
  },
  dateFormat: 'DD.MM.YYYY',
  currency: 'EUR',
  account: 'DE89370400440532013000',
} as const;
