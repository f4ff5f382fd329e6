-- The seed's database: its role, its two tables and the publication that
-- Penstock reads them by. Run it in the database streaming_db as a role that may
-- create roles; running it again changes nothing:
--
--   createdb streaming_db && psql -d streaming_db -f setup.sql
--
-- The seed's third table, outbox_events, and the trigger that filled it are not
-- here: the write-ahead log already is an outbox. Reading it costs the writers
-- nothing, cannot be forgotten by a statement, and keeps the order of commits,
-- which the trigger's rows did not.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'analytics_user') THEN
        -- REPLICATION lets it read the log through a slot.
        CREATE ROLE analytics_user LOGIN REPLICATION PASSWORD 'myStrongPassword123';
    END IF;
    -- A publication can only be created by who may create in its database.
    EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO analytics_user', current_database());
END
$$;

GRANT USAGE, CREATE ON SCHEMA public TO analytics_user;

CREATE TABLE IF NOT EXISTS public.content (
    id             uuid PRIMARY KEY,
    slug           text UNIQUE NOT NULL,
    title          text NOT NULL,
    content_type   text CHECK (content_type IN ('podcast', 'newsletter', 'video')),
    length_seconds integer,
    publish_ts     timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS public.engagement_events (
    id          bigserial PRIMARY KEY,
    content_id  uuid REFERENCES public.content (id),
    user_id     uuid,
    event_type  text CHECK (event_type IN ('play', 'pause', 'finish', 'click')),
    event_ts    timestamptz NOT NULL,
    duration_ms integer,
    device      text,
    raw_payload jsonb
);

ALTER TABLE public.content OWNER TO analytics_user;
ALTER TABLE public.engagement_events OWNER TO analytics_user;

-- With the default identity, the primary key, a DELETE would not say which
-- content the event belonged to, and an UPDATE that moves an event would not say
-- where it came from. The pipeline is partitioned by content_id and needs both.
-- Whole old rows also carry the columns that an UPDATE did not touch and that are
-- too large to be logged again; content can have those too.
ALTER TABLE public.engagement_events REPLICA IDENTITY FULL;
ALTER TABLE public.content REPLICA IDENTITY FULL;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'engagement') THEN
        CREATE PUBLICATION engagement FOR TABLE public.content, public.engagement_events;
        ALTER PUBLICATION engagement OWNER TO analytics_user;
    END IF;
END
$$;
