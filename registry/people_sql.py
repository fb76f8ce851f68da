"""SQL of logins, care and clinical entries."""

from registry.reading_sql import MAY_SEE

__all__ = ["ADD_USER", "GIVE_CARE", "IS_DOCTOR", "KNOWN", "MAY_SEE", "RECORD", "REMOVE_USER",
           "SET_PASSWORD", "SET_SCALE", "USERS"]

# A version of its own: no session of a removed login of that name comes to life again.
ADD_USER = """
INSERT INTO users (username, password_hash, role, session_version)
VALUES (:username, :password_hash, :role, CAST(random() * 1e9 AS integer))
ON CONFLICT DO NOTHING RETURNING 1"""

SET_PASSWORD = """
UPDATE users SET password_hash = :password_hash, session_version = session_version + 1
WHERE username = :username"""

REMOVE_USER = "DELETE FROM users WHERE username = :username"

USERS = """
SELECT u.username, u.role, count(c.patient_id) AS patients, u.created_at
FROM users u LEFT JOIN care c USING (username) GROUP BY u.username ORDER BY u.role, u.username"""

IS_DOCTOR = "SELECT 1 FROM users WHERE username = :username AND role = 'doctor'"

KNOWN = """
SELECT patient_id FROM patients
WHERE CAST(:patients AS text[]) IS NULL OR patient_id = ANY(:patients) ORDER BY patient_id"""

GIVE_CARE = """
INSERT INTO care (username, patient_id)
SELECT :username, unnest(CAST(:patients AS text[])) ON CONFLICT DO NOTHING"""

# The condition keeps an entry that says something else: then no row comes back.
RECORD = """
INSERT INTO clinical_entries AS e (patient_id, effective_at, item, value, entered_by)
VALUES (:patient, :effective_at, :item, :value, coalesce(:viewer, 'local'))
ON CONFLICT (patient_id, item, effective_at) DO UPDATE SET value = e.value
WHERE e.value = excluded.value
RETURNING 1"""

SET_SCALE = """
UPDATE patients SET spo2_scale = CAST((
    SELECT value FROM clinical_entries WHERE patient_id = :patient AND item = 'spo2_scale'
    ORDER BY effective_at DESC LIMIT 1) AS integer)
WHERE patient_id = :patient"""
