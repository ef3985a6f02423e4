"""Pure: site + observed + rules -> Plan. Nothing here contacts anything."""
