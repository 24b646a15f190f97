-- Every refused record is counted under a rule. It fails when the loader refuses by a rule that the
-- model does not list, or when the quarantine has not as many records as the ledger says.
select
    feed,
    load_id,
    records_rejected
from {{ ref('load_quality') }}
where
    records_rejected <> rejected_too_few_fields + rejected_too_many_fields + rejected_stray_quote
    + rejected_text_after_quote + rejected_unterminated_quote + rejected_nul_byte
    + rejected_not_utf8 + rejected_record_too_large + rejected_bare_carriage_return
    + rejected_max_bytes + rejected_required + rejected_integer + rejected_decimal
    + rejected_boolean + rejected_date + rejected_timestamp + rejected_accepted_values
    + rejected_pattern + rejected_minimum + rejected_maximum
