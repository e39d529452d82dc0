-- Readiness asks which migrations were applied; the application may read that list and nothing else of it.
GRANT USAGE ON SCHEMA drizzle TO perennial_app;
--> statement-breakpoint
GRANT SELECT ON drizzle.__drizzle_migrations TO perennial_app;
