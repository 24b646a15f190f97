-- Seed and contract say the same: the contract accepts every alias (or no record with it would ever be
-- landed), and every type that an alias stands for is accepted and no alias itself (or staging would
-- hand on a type that the mart refuses).
{% set contract = namespace(accepted=[]) %}
{% for source in graph.sources.values() if (source.source_name, source.name) == ('cti', 'indicators') %}
    {% set contract.accepted = source.columns['indicator_type'].config.meta['accepted_values'] %}
{% endfor %}

with aliases as (

    select * from {{ ref('indicator_type_aliases') }}

),

accepted as (

    {% for value in contract.accepted %}
    select cast('{{ value | lower }}' as varchar(64)) as indicator_type
    {{ 'union all' if not loop.last }}
    {% else %}
    -- While parsing, dbt does not know the sources yet.
    select cast(null as varchar(64)) as indicator_type
    {% endfor %}

)

select
    alias,
    indicator_type,
    'the contract does not accept the alias' as problem
from aliases
where alias not in (select accepted.indicator_type from accepted)

union all

select
    alias,
    indicator_type,
    'it stands for a type that the contract does not accept' as problem
from aliases
where indicator_type not in (select accepted.indicator_type from accepted)

union all

select
    alias,
    indicator_type,
    'it stands for another alias' as problem
from aliases
where indicator_type in (select other.alias from aliases as other)
