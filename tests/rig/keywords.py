"""Words that Redshift reserves: AWS, "Reserved words"."""

from __future__ import annotations

from rig.sql_text import word_set

# What Redshift reserves and PostgreSQL does not.
RESERVED = word_set(
    "aes128 aes256 allowoverwrite az64 backup blanksasnull bytedict bzip2 connect credentials "
    "current_user_id deflate defrag delta delta32k disable emptyasnull enable encode encrypt "
    "encryption explicit globaldict256 globaldict64k gzip identity ignore interval language lun "
    "luns lzo lzop minus mostly16 mostly32 mostly8 new nulls off offline oid old open parallel "
    "partition percent permissions pivot raw readratio recover rejectlog resort respect restore "
    "snapshot start sysdate system tag tdes text255 text32k timestamp top truncatecolumns unpivot "
    "unnest wallet without"
)
