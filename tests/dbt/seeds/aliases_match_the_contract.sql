-- Seed and contract say the same: the contract accepts every alias (or no record with it would ever be
-- landed), and every type that an alias stands for is accepted and no alias itself (or staging would
-- hand on a type that the mart refuses).
{% set contract = graph.sources['source.cti.cti.indicators'].columns['indicator_type'] if execute %}
{% set accepted = contract.config.meta['accepted_values'] if execute else [] %}

with aliases as (

    select
        alias,
        indicator_type,
        alias in (
            '{{ accepted | join("', '") | lower }}' -- noqa: LT05
        ) as is_accepted,
        indicator_type in (
            '{{ accepted | join("', '") | lower }}' -- noqa: LT05
        ) as stands_for_accepted
    from {{ ref('indicator_type_aliases') }}

)

select
    aliases.alias,
    aliases.indicator_type,
    aliases.is_accepted,
    aliases.stands_for_accepted,
    next_alias.indicator_type as which_is_an_alias_of
from aliases
left join aliases as next_alias on aliases.indicator_type = next_alias.alias
where
    not aliases.is_accepted
    or not aliases.stands_for_accepted
    or next_alias.alias is not null
