"""Every table of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('evaluations',
        sa.Column('patient_id', sa.Text(), nullable=False),
        sa.Column('vital', sa.Text(), nullable=False),
        sa.Column('cutoff', sa.DateTime(timezone=True), nullable=False, comment='of the forecast that is scored'),
        sa.Column('observed', sa.Integer(), nullable=False, comment='hours observed so far'),
        sa.Column('final', sa.Boolean(), nullable=False, comment='the whole horizon has passed'),
        sa.Column('actual', sa.ARRAY(sa.Double()), nullable=False, comment='one per lead, null = not observed'),
        sa.Column('errors', sa.JSON(), nullable=False, comment='{member or ensemble: [actual - forecast]}'),
        sa.Column('mae', sa.JSON(), nullable=False, comment='{member or ensemble: mean absolute error}'),
        sa.Column('covered', sa.JSON(), nullable=False, comment='{level: [true, false or null per lead]}'),
        sa.PrimaryKeyConstraint('patient_id', 'vital', 'cutoff', name=op.f('pk_evaluations'))
    )
    op.create_table('fits',
        sa.Column('patient_id', sa.Text(), nullable=False),
        sa.Column('vital', sa.Text(), nullable=False),
        sa.Column('member', sa.Text(), nullable=False),
        sa.Column('cutoff', sa.DateTime(timezone=True), nullable=False),
        sa.Column('outcome', sa.Text(), nullable=False, comment='fitted, failed, timeout, too_little_data, switched_off'),
        sa.Column('reason', sa.Text(), nullable=True),
        sa.Column('document_id', sa.Text(), nullable=True),
        sa.Column('config_hash', sa.Text(), nullable=False),
        sa.Column('seconds', sa.Double(), nullable=True),
        sa.Column('cpu_seconds', sa.Double(), nullable=True),
        sa.Column('host', sa.Text(), nullable=True),
        sa.Column('finished_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.PrimaryKeyConstraint('patient_id', 'vital', 'member', 'cutoff', name=op.f('pk_fits'))
    )
    op.create_table('model_configs',
        sa.Column('config_hash', sa.Text(), nullable=False),
        sa.Column('config', sa.JSON(), nullable=False),
        sa.Column('first_used_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.PrimaryKeyConstraint('config_hash', name=op.f('pk_model_configs'))
    )
    op.create_table('observation_revisions',
        sa.Column('key', sa.LargeBinary(), nullable=False),
        sa.Column('patient_id', sa.Text(), nullable=False),
        sa.Column('vital', sa.Text(), nullable=False),
        sa.Column('provider', sa.Text(), nullable=False),
        sa.Column('connection_id', sa.Text(), nullable=True),
        sa.Column('value', sa.Numeric(), nullable=False),
        sa.Column('effective_start', sa.DateTime(timezone=True), nullable=False),
        sa.Column('effective_end', sa.DateTime(timezone=True), nullable=False),
        sa.Column('utc_offset_s', sa.Integer(), nullable=True),
        sa.Column('civil_date', sa.Date(), nullable=True),
        sa.Column('granularity', sa.Text(), nullable=False),
        sa.Column('statistic', sa.Text(), nullable=False),
        sa.Column('context', sa.Text(), nullable=False),
        sa.Column('method', sa.Text(), nullable=False),
        sa.Column('body_site', sa.Text(), nullable=True),
        sa.Column('device_id', sa.Text(), nullable=True),
        sa.Column('device_model', sa.Text(), nullable=True),
        sa.Column('source_record_id', sa.Text(), nullable=True),
        sa.Column('group_id', sa.Text(), nullable=True),
        sa.Column('provider_modified_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('raw_sha256', sa.Text(), nullable=True),
        sa.Column('parser_version', sa.Integer(), nullable=False),
        sa.Column('quality', sa.Text(), nullable=False),
        sa.Column('quality_reasons', sa.ARRAY(sa.Text()), nullable=False),
        sa.Column('fetched_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('replaced_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.PrimaryKeyConstraint('key', 'fetched_at', name=op.f('pk_observation_revisions')),
    comment='what an observation said before the vendor revised it'
    )
    op.create_table('observations',
        sa.Column('key', sa.LargeBinary(), nullable=False),
        sa.Column('patient_id', sa.Text(), nullable=False),
        sa.Column('vital', sa.Text(), nullable=False),
        sa.Column('provider', sa.Text(), nullable=False),
        sa.Column('connection_id', sa.Text(), nullable=True),
        sa.Column('value', sa.Numeric(), nullable=False),
        sa.Column('effective_start', sa.DateTime(timezone=True), nullable=False),
        sa.Column('effective_end', sa.DateTime(timezone=True), nullable=False),
        sa.Column('utc_offset_s', sa.Integer(), nullable=True),
        sa.Column('civil_date', sa.Date(), nullable=True),
        sa.Column('granularity', sa.Text(), nullable=False),
        sa.Column('statistic', sa.Text(), nullable=False),
        sa.Column('context', sa.Text(), nullable=False),
        sa.Column('method', sa.Text(), nullable=False),
        sa.Column('body_site', sa.Text(), nullable=True),
        sa.Column('device_id', sa.Text(), nullable=True),
        sa.Column('device_model', sa.Text(), nullable=True),
        sa.Column('source_record_id', sa.Text(), nullable=True),
        sa.Column('group_id', sa.Text(), nullable=True),
        sa.Column('provider_modified_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('raw_sha256', sa.Text(), nullable=True),
        sa.Column('parser_version', sa.Integer(), nullable=False),
        sa.Column('quality', sa.Text(), nullable=False),
        sa.Column('quality_reasons', sa.ARRAY(sa.Text()), nullable=False),
        sa.Column('fetched_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.PrimaryKeyConstraint('key', name=op.f('pk_observations'))
    )
    op.create_index('ix_observations_series', 'observations', ['patient_id', 'vital', 'effective_start'])
    op.create_table('patients',
        sa.Column('patient_id', sa.Text(), nullable=False),
        sa.Column('birth_date', sa.Date(), nullable=True),
        sa.Column('pregnant', sa.Boolean(), server_default='false', nullable=False),
        sa.Column('spo2_scale', sa.Integer(), server_default='1', nullable=False, comment="2 only by a clinician's entry"),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.PrimaryKeyConstraint('patient_id', name=op.f('pk_patients'))
    )
    op.create_table('raw_payloads',
        sa.Column('sha256', sa.Text(), nullable=False, comment='of the uncompressed body'),
        sa.Column('provider', sa.Text(), nullable=False),
        sa.Column('resource', sa.Text(), nullable=False),
        sa.Column('body', sa.LargeBinary(), nullable=False, comment='zlib-compressed'),
        sa.Column('stored_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.PrimaryKeyConstraint('sha256', name=op.f('pk_raw_payloads'))
    )
    op.create_table('runs',
        sa.Column('run_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column('job', sa.Text(), nullable=False),
        sa.Column('cycle', sa.DateTime(timezone=True), nullable=False),
        sa.Column('shard', sa.Text(), nullable=False),
        sa.Column('status', sa.Text(), nullable=False, comment='running, done, failed'),
        sa.Column('started_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('cpu_seconds', sa.Double(), nullable=True),
        sa.Column('figures', sa.JSON(), server_default='{}', nullable=False),
        sa.Column('exception', sa.Text(), nullable=True, comment='class and place, never a message with patient data'),
        sa.PrimaryKeyConstraint('run_id', name=op.f('pk_runs'))
    )
    op.create_index('ix_runs_job_cycle', 'runs', ['job', 'cycle'])
    op.create_table('series_statistics',
        sa.Column('patient_id', sa.Text(), nullable=False),
        sa.Column('vital', sa.Text(), nullable=False),
        sa.Column('job', sa.Text(), nullable=False, comment='train or forecast'),
        sa.Column('cutoff', sa.DateTime(timezone=True), nullable=False),
        sa.Column('entries', sa.Integer(), nullable=False, comment='readings in the window'),
        sa.Column('hours', sa.Integer(), nullable=False),
        sa.Column('missing', sa.Integer(), nullable=False, comment='hours without a reading'),
        sa.Column('fact_start', sa.DateTime(timezone=True), nullable=False),
        sa.Column('fact_end', sa.DateTime(timezone=True), nullable=False),
        sa.Column('forecast_start', sa.DateTime(timezone=True), nullable=False),
        sa.Column('forecast_end', sa.DateTime(timezone=True), nullable=False),
        sa.Column('first_time', sa.DateTime(timezone=True), nullable=True),
        sa.Column('last_time', sa.DateTime(timezone=True), nullable=True),
        sa.Column('minimum', sa.Double(), nullable=True),
        sa.Column('maximum', sa.Double(), nullable=True),
        sa.Column('mean', sa.Double(), nullable=True),
        sa.Column('std', sa.Double(), nullable=True),
        sa.Column('mean_gap_s', sa.Double(), nullable=True),
        sa.Column('data_hash', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('patient_id', 'vital', 'job', 'cutoff', name=op.f('pk_series_statistics'))
    )
    op.create_table('users',
        sa.Column('username', sa.Text(), nullable=False),
        sa.Column('password_hash', sa.Text(), nullable=False),
        sa.Column('role', sa.Text(), nullable=False, comment='doctor, operator or service'),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.PrimaryKeyConstraint('username', name=op.f('pk_users'))
    )
    op.create_table('care',
        sa.Column('username', sa.Text(), nullable=False),
        sa.Column('patient_id', sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(['patient_id'], ['patients.patient_id'], name=op.f('fk_care_patient_id'), ondelete='CASCADE'),
        sa.ForeignKeyConstraint(['username'], ['users.username'], name=op.f('fk_care_username'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('username', 'patient_id', name=op.f('pk_care')),
    comment='whose patients a doctor may see'
    )
    op.create_table('clinical_entries',
        sa.Column('patient_id', sa.Text(), nullable=False),
        sa.Column('effective_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('item', sa.Text(), nullable=False, comment='supplemental_oxygen, consciousness, spo2_scale, chest_pain, ...'),
        sa.Column('value', sa.Text(), nullable=False),
        sa.Column('entered_by', sa.Text(), nullable=False),
        sa.Column('entered_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.ForeignKeyConstraint(['patient_id'], ['patients.patient_id'], name=op.f('fk_clinical_entries_patient_id')),
        sa.PrimaryKeyConstraint('patient_id', 'item', 'effective_at', name=op.f('pk_clinical_entries'))
    )
    op.create_table('connections',
        sa.Column('connection_id', sa.Text(), nullable=False, comment='provider:patient_id'),
        sa.Column('patient_id', sa.Text(), nullable=False),
        sa.Column('provider', sa.Text(), nullable=False),
        sa.Column('provider_user_id', sa.Text(), nullable=True),
        sa.Column('scopes_granted', sa.ARRAY(sa.Text()), server_default='{}', nullable=False),
        sa.Column('status', sa.Text(), server_default='active', nullable=False, comment='active, reauth_required, revoked, not_linked, subscription_lapsed'),
        sa.Column('access_enc', sa.LargeBinary(), nullable=True),
        sa.Column('refresh_enc', sa.LargeBinary(), nullable=True),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('token_version', sa.Integer(), server_default='0', nullable=False),
        sa.Column('last_refresh_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['patient_id'], ['patients.patient_id'], name=op.f('fk_connections_patient_id')),
        sa.PrimaryKeyConstraint('connection_id', name=op.f('pk_connections')),
        sa.UniqueConstraint('provider', 'provider_user_id', name=op.f('uq_connections_provider_provider_user_id'))
    )
    op.create_index(op.f('ix_connections_patient_id'), 'connections', ['patient_id'])
    op.create_table('model_documents',
        sa.Column('document_id', sa.Text(), nullable=False, comment="sha256 of the document's text"),
        sa.Column('patient_id', sa.Text(), nullable=False),
        sa.Column('vital', sa.Text(), nullable=False),
        sa.Column('member', sa.Text(), nullable=False, comment="a member's name, or 'ensemble'"),
        sa.Column('engine', sa.Text(), nullable=False),
        sa.Column('cutoff', sa.DateTime(timezone=True), nullable=False, comment='end of the data it was fitted to'),
        sa.Column('parent_id', sa.Text(), nullable=True, comment='the previous document of that member'),
        sa.Column('made_by', sa.Text(), nullable=False, comment='search, refit or update'),
        sa.Column('document', sa.Text(), nullable=False, comment='JSON, byte for byte as hashed'),
        sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.ForeignKeyConstraint(['patient_id'], ['patients.patient_id'], name=op.f('fk_model_documents_patient_id')),
        sa.PrimaryKeyConstraint('document_id', 'patient_id', 'vital', name=op.f('pk_model_documents'))
    )
    op.create_index('ix_model_documents_series', 'model_documents', ['patient_id', 'vital', 'member', 'cutoff'])
    op.create_table('refusals',
        sa.Column('raw_sha256', sa.Text(), nullable=False),
        sa.Column('record', sa.Text(), nullable=False),
        sa.Column('reason', sa.Text(), nullable=False),
        sa.Column('connection_id', sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(['raw_sha256'], ['raw_payloads.sha256'], name=op.f('fk_refusals_raw_sha256'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('raw_sha256', 'record', name=op.f('pk_refusals')),
    comment='records of a payload that were not understood'
    )
    op.create_table('severities',
        sa.Column('patient_id', sa.Text(), nullable=False),
        sa.Column('cutoff', sa.DateTime(timezone=True), nullable=False),
        sa.Column('rank', sa.Double(), nullable=False, comment='work list order, worst highest'),
        sa.Column('band', sa.Text(), nullable=False, comment='now: low ... high, not applicable'),
        sa.Column('current', sa.JSON(), nullable=False),
        sa.Column('outlook', sa.JSON(), nullable=False, comment='severity of the forecast'),
        sa.Column('protocol', sa.JSON(), nullable=False, comment='home-monitoring table and verdicts'),
        sa.ForeignKeyConstraint(['patient_id'], ['patients.patient_id'], name=op.f('fk_severities_patient_id')),
        sa.PrimaryKeyConstraint('patient_id', 'cutoff', name=op.f('pk_severities'))
    )
    op.create_table('fetches',
        sa.Column('connection_id', sa.Text(), nullable=False),
        sa.Column('resource', sa.Text(), nullable=False),
        sa.Column('cycle', sa.DateTime(timezone=True), nullable=False, comment="the cycle's hour: end of the window"),
        sa.Column('window_start', sa.DateTime(timezone=True), nullable=False),
        sa.Column('outcome', sa.Text(), nullable=False, comment='complete, fetch_failed, format_discrepancy, not_entitled'),
        sa.Column('reason', sa.Text(), nullable=True),
        sa.Column('http_status', sa.Integer(), nullable=True),
        sa.Column('pages', sa.Integer(), nullable=False),
        sa.Column('received', sa.Integer(), nullable=False),
        sa.Column('parsed', sa.Integer(), nullable=False),
        sa.Column('refused', sa.Integer(), nullable=False),
        sa.Column('cursor_after', sa.Text(), nullable=True, comment='where the next cycle starts; null when not complete'),
        sa.Column('last_sync', sa.DateTime(timezone=True), nullable=True),
        sa.Column('raw_hashes', sa.ARRAY(sa.Text()), server_default='{}', nullable=False),
        sa.Column('finished_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
        sa.Column('duration_s', sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(['connection_id'], ['connections.connection_id'], name=op.f('fk_fetches_connection_id')),
        sa.PrimaryKeyConstraint('connection_id', 'resource', 'cycle', name=op.f('pk_fetches')),
    comment='fetch ledger; the watermark is the newest complete row before a cycle'
    )
    op.create_table('forecasts',
        sa.Column('patient_id', sa.Text(), nullable=False),
        sa.Column('vital', sa.Text(), nullable=False),
        sa.Column('cutoff', sa.DateTime(timezone=True), nullable=False, comment='first forecast hour starts here'),
        sa.Column('horizon', sa.Integer(), nullable=False),
        sa.Column('document_id', sa.Text(), nullable=True, comment="the ensemble's; null when there is no forecast"),
        sa.Column('state_hash', sa.Text(), nullable=True),
        sa.Column('reason', sa.Text(), nullable=True, comment='why there is no forecast; null when there is one'),
        sa.Column('point', sa.ARRAY(sa.Double()), nullable=False, comment='median, one per hour'),
        sa.Column('lower_50', sa.ARRAY(sa.Double()), nullable=False),
        sa.Column('upper_50', sa.ARRAY(sa.Double()), nullable=False),
        sa.Column('lower_80', sa.ARRAY(sa.Double()), nullable=False),
        sa.Column('upper_80', sa.ARRAY(sa.Double()), nullable=False),
        sa.Column('lower_95', sa.ARRAY(sa.Double()), nullable=False),
        sa.Column('upper_95', sa.ARRAY(sa.Double()), nullable=False),
        sa.Column('members', sa.JSON(), nullable=False, comment='{name: {weights: {bucket: w}, path: [...]}}'),
        sa.Column('absent', sa.JSON(), nullable=False, comment='{name: reason}'),
        sa.ForeignKeyConstraint(['document_id', 'patient_id', 'vital'], ['model_documents.document_id', 'model_documents.patient_id', 'model_documents.vital'], name=op.f('fk_forecasts_document_id')),
        sa.ForeignKeyConstraint(['patient_id'], ['patients.patient_id'], name=op.f('fk_forecasts_patient_id')),
        sa.PrimaryKeyConstraint('patient_id', 'vital', 'cutoff', name=op.f('pk_forecasts'))
    )
    op.create_index('ix_forecasts_cutoff', 'forecasts', ['cutoff'])
    op.create_index(op.f('ix_forecasts_document_id'), 'forecasts', ['document_id'])
    op.create_table('model_aliases',
        sa.Column('patient_id', sa.Text(), nullable=False),
        sa.Column('vital', sa.Text(), nullable=False),
        sa.Column('alias', sa.Text(), nullable=False, comment='champion, ensemble'),
        sa.Column('document_id', sa.Text(), nullable=False),
        sa.Column('cutoff', sa.DateTime(timezone=True), nullable=False),
        sa.Column('why', sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(['document_id', 'patient_id', 'vital'], ['model_documents.document_id', 'model_documents.patient_id', 'model_documents.vital'], name=op.f('fk_model_aliases_document_id')),
        sa.PrimaryKeyConstraint('patient_id', 'vital', 'alias', name=op.f('pk_model_aliases'))
    )
    op.create_index(op.f('ix_model_aliases_document_id'), 'model_aliases', ['document_id'])
    op.create_table('model_states',
        sa.Column('document_id', sa.Text(), nullable=False),
        sa.Column('patient_id', sa.Text(), nullable=False),
        sa.Column('vital', sa.Text(), nullable=False),
        sa.Column('as_of', sa.DateTime(timezone=True), nullable=False),
        sa.Column('state', sa.Text(), nullable=False, comment='JSON'),
        sa.Column('state_hash', sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(['document_id', 'patient_id', 'vital'], ['model_documents.document_id', 'model_documents.patient_id', 'model_documents.vital'], name=op.f('fk_model_states_document_id'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('document_id', 'patient_id', 'vital', name=op.f('pk_model_states'))
    )


def downgrade() -> None:
    op.drop_table('model_states')
    op.drop_index(op.f('ix_model_aliases_document_id'), table_name='model_aliases')
    op.drop_table('model_aliases')
    op.drop_index(op.f('ix_forecasts_document_id'), table_name='forecasts')
    op.drop_index('ix_forecasts_cutoff', table_name='forecasts')
    op.drop_table('forecasts')
    op.drop_table('fetches')
    op.drop_table('severities')
    op.drop_table('refusals')
    op.drop_index('ix_model_documents_series', table_name='model_documents')
    op.drop_table('model_documents')
    op.drop_index(op.f('ix_connections_patient_id'), table_name='connections')
    op.drop_table('connections')
    op.drop_table('clinical_entries')
    op.drop_table('care')
    op.drop_table('users')
    op.drop_table('series_statistics')
    op.drop_index('ix_runs_job_cycle', table_name='runs')
    op.drop_table('runs')
    op.drop_table('raw_payloads')
    op.drop_table('patients')
    op.drop_index('ix_observations_series', table_name='observations')
    op.drop_table('observations')
    op.drop_table('observation_revisions')
    op.drop_table('model_configs')
    op.drop_table('fits')
    op.drop_table('evaluations')
