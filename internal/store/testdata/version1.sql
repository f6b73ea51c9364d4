BEGIN TRANSACTION;
CREATE TABLE inbox (
		seq     INTEGER PRIMARY KEY,
		key     TEXT NOT NULL UNIQUE,
		payload BLOB NOT NULL,         -- empty once settled
		state   TEXT NOT NULL CHECK (state IN ('pending', 'done', 'void')),
		changed BIGINT NOT NULL
	);
INSERT INTO "inbox" VALUES(1,'waits',X'7061796C6F6164206F66207761697473','pending',1795510800123456789);
INSERT INTO "inbox" VALUES(2,'settled',X'','done',1795510800123456789);
CREATE TABLE operations (
		seq         INTEGER PRIMARY KEY,
		id          TEXT NOT NULL UNIQUE,
		app         TEXT NOT NULL,
		environment TEXT NOT NULL,
		stage       TEXT NOT NULL,
		ended       INTEGER NOT NULL,  -- 0 or 1
		told        INTEGER NOT NULL,  -- 0 or 1: people know of the end
		owner       TEXT NOT NULL,     -- of the lease, '' if it is free
		fence       BIGINT NOT NULL,
		lease_until BIGINT NOT NULL,
		created     BIGINT NOT NULL,
		delivery    TEXT NOT NULL,     -- '' if it came from none
		body        TEXT NOT NULL      -- all of it, as JSON; of the lease the columns count
	);
INSERT INTO "operations" VALUES(1,'1','web','prod','writing',0,0,'me',1,1795510830123456789,1795510800123456789,'delivery-1','{"ID":"1","Kind":"promote","App":"web","Environment":"prod","Application":"","Path":"","From":"v1","To":"v2","Repository":"","By":{"ID":"","Name":"","Groups":null,"Outsider":""},"Forced":false,"Notes":null,"Delivery":"delivery-1","Asked":{"ID":"","Direct":false,"Shared":false},"Message":{"Channel":"","TS":""},"Reply":{"Channel":"","TS":""},"Base":"","Commit":"","Supersedes":"","Created":"2026-11-24T09:00:00.123456789Z","Baseline":{"UID":"","HistoryID":0,"StartedAt":"","ReconciledAt":"","Health":"","Errors":null},"Progress":{"Stage":"writing","Since":"2026-11-24T09:00:00.123456789Z","Seq":0,"Past":null,"Ready":0,"Total":0,"Note":"","Cause":null,"Folded":"","By":"","Stalled":false,"Blind":false,"Memory":{"Compared":false,"Applied":false,"AppliedAt":"0001-01-01T00:00:00Z","AppliedStart":"","DegradedAt":"0001-01-01T00:00:00Z","HealthyAt":"0001-01-01T00:00:00Z","MovedAt":"0001-01-01T00:00:00Z","Reconciled":"","Drifts":0,"Idle":0,"Refreshes":0}},"Told":false,"Lease":{"Owner":"me","Fence":1,"Until":"2026-11-24T09:00:30.123456789Z"}}');
INSERT INTO "operations" VALUES(2,'2','web','prod','healthy',1,1,'me',1,1795510830123456789,1795510800123456789,'delivery-2','{"ID":"2","Kind":"promote","App":"web","Environment":"prod","Application":"","Path":"","From":"v1","To":"v2","Repository":"","By":{"ID":"","Name":"","Groups":null,"Outsider":""},"Forced":false,"Notes":null,"Delivery":"delivery-2","Asked":{"ID":"","Direct":false,"Shared":false},"Message":{"Channel":"","TS":""},"Reply":{"Channel":"","TS":""},"Base":"","Commit":"","Supersedes":"","Created":"2026-11-24T09:00:00.123456789Z","Baseline":{"UID":"","HistoryID":0,"StartedAt":"","ReconciledAt":"","Health":"","Errors":null},"Progress":{"Stage":"healthy","Since":"2026-11-24T09:01:00.123456789Z","Seq":0,"Past":[{"Stage":"writing","At":"2026-11-24T09:00:00.123456789Z"}],"Ready":0,"Total":0,"Note":"","Cause":null,"Folded":"","By":"","Stalled":false,"Blind":false,"Memory":{"Compared":false,"Applied":false,"AppliedAt":"0001-01-01T00:00:00Z","AppliedStart":"","DegradedAt":"0001-01-01T00:00:00Z","HealthyAt":"0001-01-01T00:00:00Z","MovedAt":"0001-01-01T00:00:00Z","Reconciled":"","Drifts":0,"Idle":0,"Refreshes":0}},"Told":true,"Lease":{"Owner":"me","Fence":1,"Until":"2026-11-24T09:00:30.123456789Z"}}');
CREATE TABLE questions (
		id      TEXT PRIMARY KEY,
		body    TEXT NOT NULL,         -- all of it, as JSON
		expires BIGINT NOT NULL        -- seconds since 1970
	);
CREATE TABLE readiness (checks BIGINT NOT NULL);
INSERT INTO "readiness" VALUES(0);
CREATE TABLE schema_versions (version INTEGER PRIMARY KEY, applied BIGINT NOT NULL);
INSERT INTO "schema_versions" VALUES(1,1795424400000000000);
CREATE INDEX inbox_pending ON inbox (seq) WHERE state = 'pending';
CREATE UNIQUE INDEX operations_delivery ON operations (delivery) WHERE delivery <> '';
CREATE INDEX operations_app ON operations (app, environment, seq);
CREATE INDEX operations_untold ON operations (seq) WHERE told = 0;
COMMIT;
