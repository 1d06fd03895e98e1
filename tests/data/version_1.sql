PRAGMA application_id = 1094930258;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counters VALUES ('change', 3);
INSERT INTO meta VALUES ('salt', '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL,
    item_id TEXT NOT NULL, event TEXT NOT NULL, timestamp REAL NOT NULL, value REAL, weight REAL NOT NULL,
    impression_id TEXT, context TEXT);
CREATE INDEX events_of_users ON events (user_id, timestamp);
INSERT INTO events VALUES (1, 'e1', 'ann', 'tea', 'view', 86400.0, NULL, 1.0, NULL, NULL);
INSERT INTO events VALUES (2, 'e2', 'ann', 'cup', 'buy', 172800.0, 4.5, 3.0, 's1', '{"device": "phone"}');
CREATE TABLE items (
    number INTEGER PRIMARY KEY AUTOINCREMENT, item_id TEXT NOT NULL UNIQUE, fields TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0, updated REAL NOT NULL, change INTEGER NOT NULL);
CREATE INDEX changed_items ON items (change);
INSERT INTO items VALUES (1, 'tea', '{"title":"Tea"}', 0, 86400.0, 1);
INSERT INTO items VALUES (2, 'cup', '{}', 1, 86400.0, 3);
CREATE TABLE users (
    number INTEGER PRIMARY KEY AUTOINCREMENT, user_id TEXT NOT NULL UNIQUE, fields TEXT NOT NULL,
    updated REAL NOT NULL);
INSERT INTO users VALUES (1, 'ann', '{"age":30}', 86400.0);
PRAGMA user_version = 1;
