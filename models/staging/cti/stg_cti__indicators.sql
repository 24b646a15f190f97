with landing as (

    select * from {{ landed('cti', 'indicators') }}

),

aliases as (

    select * from {{ ref('indicator_type_aliases') }}

),

cleaned as (

    select
        {{ clean_text('indicator', case='keep') }} as indicator,
        {{ clean_text('indicator_type') }} as indicator_type,
        {{ clean_text('source') }} as source,
        {{ clean_text('confidence') }} as confidence,
        {{ clean_text('first_seen') }} as first_seen,
        {{ clean_text('last_seen') }} as last_seen,
        {{ clean_text('description') }} as description,
        _load_id,
        _loaded_at,
        _file,
        _file_time,
        _record

    from landing

),

typed as (

    select
        -- text
        {% if var('keep_url_path_case') %}
        case
            when coalesce(aliases.indicator_type, cleaned.indicator_type) = 'url'
                then {{ lower_host('cleaned.indicator') }}
            else lower(cleaned.indicator)
        end as indicator,
        {% else %}
        lower(cleaned.indicator) as indicator,
        {% endif %}
        coalesce(aliases.indicator_type, cleaned.indicator_type) as indicator_type,
        cleaned.source,
        cleaned.description,

        -- numerics
        {{ clean_integer('cleaned.confidence', cleaned=true) }} as confidence,

        -- timestamps
        {{ clean_timestamp('cleaned.first_seen', cleaned=true) }} as first_seen,
        {{ clean_timestamp('cleaned.last_seen', cleaned=true) }} as last_seen,

        -- where it came from
        cleaned._load_id,
        cleaned._loaded_at,
        cleaned._file,
        cleaned._file_time,
        cleaned._record

    from cleaned
    left join aliases on cleaned.indicator_type = aliases.alias

)

select * from typed
